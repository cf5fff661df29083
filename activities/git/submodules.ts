import { lstatSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The paths that a work tree's `.gitmodules` names, as byte strings. No link is followed. */
export function declaredSubmodules(workTree: string): Set<string> {
  const file = path.join(workTree, '.gitmodules');
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (stat?.isFile() !== true || stat.size > 1024 * 1024) return new Set();
  const lines = readFileSync(file, 'latin1').matchAll(/^\s*path\s*=\s*(.*?)\s*$/gim);
  return new Set([...lines].map(([, value = '']) => value.replace(/^"(.*)"$/, '$1').replaceAll(/\\(.)/g, '$1')));
}
