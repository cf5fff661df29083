import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The directory of Signalbox's own package.json: the checkout, or the installed package. */
export function packageRoot(): string {
  let directory = import.meta.dirname;
  for (;;) {
    const file = path.join(directory, 'package.json');
    if (existsSync(file) && readFileSync(file, 'utf8').includes('"name": "signalbox"')) return directory;
    const parent = path.dirname(directory);
    if (parent === directory) throw new Error(`no package.json of signalbox above ${import.meta.dirname}`);
    directory = parent;
  }
}
