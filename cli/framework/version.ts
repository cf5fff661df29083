import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The version in Signalbox's own package.json, which lies above this file in a checkout and in the built package. */
export function packageVersion(): string {
  for (let directory = import.meta.dirname; ; directory = path.dirname(directory)) {
    const file = path.join(directory, 'package.json');
    if (existsSync(file)) {
      const found: unknown = JSON.parse(readFileSync(file, 'utf8'));
      if (typeof found === 'object' && found !== null && 'version' in found && typeof found.version === 'string') {
        return found.version;
      }
    }
    if (path.dirname(directory) === directory) return 'unknown';
  }
}
