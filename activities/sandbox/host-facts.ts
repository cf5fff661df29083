import { readFileSync, realpathSync, statSync } from 'node:fs';
import { arch, platform, release } from 'node:os';
import path from 'node:path';
import { unlessMissing } from '../system-errors.ts';

/**
 * What of this host decides what commands make: system, processor, distribution (and with it the C library), and which
 * programs the commands name. A program is told from another one by where it really lies, its size and its time.
 *
 * @param searchPath where programs are looked for
 */
export function hostFacts(searchPath: string | undefined, commands: readonly string[]): unknown[] {
  const distribution = unlessMissing(() => readFileSync('/etc/os-release', 'utf8')) ?? release();
  const words = new Set(['node', ...commands.flatMap((command) => command.match(/[\w.+-]+/g) ?? [])]);
  const programs = [...words].sort().flatMap((word) => {
    const found = programFacts(word, searchPath);
    return found === null ? [] : [[word, ...found]];
  });
  return [platform(), arch(), distribution, programs];
}

function programFacts(name: string, searchPath = '/usr/local/bin:/usr/bin:/bin'): [string, number, number] | null {
  for (const directory of searchPath.split(path.delimiter)) {
    if (!path.isAbsolute(directory)) continue;
    try {
      const file = realpathSync(path.join(directory, name));
      const stat = statSync(file);
      if (stat.isFile() && (stat.mode & 0o111) !== 0) return [file, stat.size, Math.floor(stat.mtimeMs)];
    } catch {
      // Not there, or not for us to see.
    }
  }
  return null;
}
