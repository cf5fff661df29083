/**
 * The images that a Dockerfile builds from, each once, as its `FROM` lines name them: arguments filled in, without its own
 * stages and `scratch`. A name that nobody gave a value is left out: the build says what is wrong with it.
 *
 * @param args what `ARG`s are set to
 */
export function basesOf(dockerfile: string, args: Readonly<Record<string, string>>): string[] {
  const values = new Map<string, string>();
  const stages = new Set(['scratch']);
  const bases = new Set<string>();
  for (const line of dockerfile.replace(/\\\r?\n/g, ' ').split('\n')) {
    const [, name, preset = ''] = /^\s*ARG\s+(\w+)(?:=(\S*))?/i.exec(line) ?? [];
    // An ARG after the first FROM is not seen by another FROM.
    if (name !== undefined && stages.size === 1 && bases.size === 0) {
      values.set(name, args[name] ?? fill(preset.replace(/^(["'])(.*)\1$/, '$2'), values));
    }
    const [, image, stage] = /^\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?/i.exec(line) ?? [];
    if (image === undefined) continue;
    const base = fill(image, values);
    if (base !== '' && !stages.has(base.toLowerCase())) bases.add(base);
    if (stage !== undefined) stages.add(stage.toLowerCase());
  }
  return [...bases];
}

function fill(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(
    /\$(?:(\w+)|\{(\w+)(?::-([^}]*))?\})/g,
    (_, plain: string | undefined, braced: string | undefined, otherwise: string | undefined) => {
      const value = values.get(plain ?? braced ?? '') ?? '';
      return value === '' ? (otherwise ?? '') : value;
    },
  );
}
