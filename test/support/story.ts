/** The last so many lines are told. */
const TOLD = 160;

/** What was done in a random history, and what came of it, in short lines: told when it fails. */
export class Story {
  readonly #lines: string[] = [];
  readonly #began = Date.now();

  note(text: string): void {
    this.#lines.push(`${((Date.now() - this.#began) / 1000).toFixed(1)} ${text}`);
  }

  /** Plays a history; where it fails, the error tells all that led there. */
  async play(name: string, history: () => Promise<void>): Promise<void> {
    try {
      await history();
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error);
      throw new Error([`${name}: ${said}`, ...this.#lines.slice(-TOLD)].join('\n'), { cause: error });
    }
  }
}

/** What everything in a history has in common, or nobody reads. */
const OBVIOUS = [
  'repository',
  'run',
  'runs',
  'rides',
  'ride',
  'manifest',
  'session',
  'detail',
  'output',
  'known',
  'url',
  'command',
];

/** A value in short: commits by their first digits, without what is obvious. */
export function inShort(value: unknown): string {
  const text = JSON.stringify(value ?? null, (key, part: unknown) => (OBVIOUS.includes(key) ? undefined : part));
  return text.replace(/\b([0-9a-f]{7})[0-9a-f]{33}\b/g, '$1').slice(0, 240);
}
