import path from 'node:path';

/** Is a path the parent, or in it? Both absolute. */
export function isBelow(parent: string, child: string): boolean {
  const relative = path.relative(parent, child);
  return relative === '' || (!relative.startsWith(`..${path.sep}`) && relative !== '..' && !path.isAbsolute(relative));
}
