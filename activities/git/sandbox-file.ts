import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * The content of a plain file that a sandbox left in a work tree, or the reason why there is none: never read through a
 * symbolic link, and only up to a size. Nothing may write to the tree meanwhile.
 *
 * @param largest in bytes
 */
export function readSandboxFile(
  tree: string,
  file: string,
  largest: number,
): { content: Buffer } | { problem: string } {
  const names = file.split('/');
  for (let depth = 1; depth < names.length; depth += 1) {
    const stat = lstatSync(path.join(tree, ...names.slice(0, depth)), { throwIfNoEntry: false });
    if (stat?.isDirectory() !== true) return { problem: 'left no file there' };
  }
  const target = path.join(tree, ...names);
  if (lstatSync(target, { throwIfNoEntry: false })?.isFile() !== true) return { problem: 'left no file there' };
  let open: number;
  try {
    open = openSync(target, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch {
    return { problem: 'left a file that cannot be read' };
  }
  try {
    return fstatSync(open).size > largest
      ? { problem: 'left a file that is too large' }
      : { content: readFileSync(open) };
  } finally {
    closeSync(open);
  }
}
