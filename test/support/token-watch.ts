import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

/** In how many ways a token may be written. */
export function writingsOf(token: string): string[] {
  const basic = Buffer.from(`x-access-token:${token}`).toString('base64');
  return [token, basic, basic.slice(8, -8), encodeURIComponent(token)];
}

/** Files below a directory that hold one of the texts. */
export function filesHolding(directory: string, texts: readonly string[]): string[] {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => {
    const file = path.join(directory, name);
    if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) return false;
    const content = readFileSync(file, 'latin1');
    return texts.some((text) => content.includes(text));
  });
}

/** What was seen of processes. */
export interface ProcessWatch {
  stop(): void;
  /** Their command lines. */
  seen: Set<string>;
  /** The command lines of those that showed one of the texts. */
  leaks: Set<string>;
}

/**
 * Looks at all processes of this machine until it is stopped.
 *
 * @param where `cmdline`: only at their arguments; else also at their environments
 */
export function watchProcesses(
  texts: readonly string[],
  where: 'cmdline' | 'environ' = 'environ',
  everyMs = 25,
): ProcessWatch {
  const seen = new Set<string>();
  const leaks = new Set<string>();
  const look = (): void => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      const read = (file: string): string => {
        try {
          return readFileSync(`/proc/${pid}/${file}`, 'latin1');
        } catch {
          return '';
        }
      };
      const command = read('cmdline').replaceAll('\0', ' ').trim();
      if (command !== '') seen.add(command);
      const shown = where === 'cmdline' ? command : command + read('environ');
      if (texts.some((text) => shown.includes(text))) leaks.add(command);
    }
  };
  const timer = setInterval(look, everyMs);
  return { seen, leaks, stop: () => clearInterval(timer) };
}
