import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const OBJECT_ID = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return null;
    throw error;
  }
}

function packedRefs(commonDir: string): Map<string, string> {
  const refs = new Map<string, string>();
  for (const line of (readText(path.join(commonDir, 'packed-refs')) ?? '').split('\n')) {
    const space = line.indexOf(' ');
    if (space > 0 && !line.startsWith('#')) refs.set(line.slice(space + 1), line.slice(0, space));
  }
  return refs;
}

/**
 * The object id that a full ref name stands for, or `null` when there is no such ref. Reads the files of git's `files`
 * ref backend, loose before packed, as git does; no process.
 */
export function readRef(commonDir: string, name: string, depth = 0): string | null {
  const loose = (): string | null => readText(path.join(commonDir, name))?.trim() ?? null;
  // A ref may be packed between the two looks, so a miss looks at the loose file once more.
  const value = loose() ?? packedRefs(commonDir).get(name) ?? loose();
  if (value === null) return null;
  if (value.startsWith('ref: ')) return depth > 5 ? null : readRef(commonDir, value.slice(5).trim(), depth + 1);
  return OBJECT_ID.test(value) ? value : null;
}

/** Every ref whose name starts with `prefix` (a path that ends in `/`), with its object id, by name. */
export function readRefs(commonDir: string, prefix: string): Map<string, string> {
  const loose = (): [string, string][] => {
    const found: [string, string][] = [];
    const visit = (directory: string): void => {
      let entries;
      try {
        entries = readdirSync(path.join(commonDir, directory), { withFileTypes: true });
      } catch {
        return;
      }
      for (const entry of entries) {
        const name = `${directory}${entry.name}`;
        if (entry.isDirectory()) visit(`${name}/`);
        else if (!name.endsWith('.lock')) {
          const value = readRef(commonDir, name);
          if (value !== null) found.push([name, value]);
        }
      }
    };
    visit(prefix);
    return found;
  };
  const before = loose();
  const packed = [...packedRefs(commonDir)].filter(([name]) => name.startsWith(prefix));
  return new Map([...packed, ...before].sort(([a], [b]) => (a < b ? -1 : 1)));
}
