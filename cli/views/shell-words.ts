/** The words of a quoted command line without expansions; `null` where a quote stays open. */
export function shellWords(line: string): string[] | null {
  const words: string[] = [];
  let rest = line.trimStart();
  while (rest !== '') {
    let word = '';
    while (rest !== '' && !/^\s/.test(rest)) {
      const part = /^(?:'([^']*)'|"((?:[^"\\]|\\[^])*)"|\\([^])|([^\s'"\\]+))/.exec(rest);
      if (part === null) return null;
      const [all, single, double, escaped, plain] = part;
      word += single ?? double?.replace(/\\([$`"\\])/g, '$1') ?? escaped ?? plain ?? '';
      rest = rest.slice(all.length);
    }
    words.push(word);
    rest = rest.trimStart();
  }
  return words;
}

/** What `bash -lc SCRIPT` runs, which is how Codex says every command; any other command as it is. */
export function scriptOf(command: string): string {
  const words = shellWords(command);
  const [shell = '', option = '', script] = words ?? [];
  const isShell = /(?:^|\/)(?:ba|z|da)?sh$/.test(shell) && /^-l?c$/.test(option);
  return isShell && words?.length === 3 && script !== undefined ? script : command;
}
