import { existsSync, readdirSync } from 'node:fs';
import { removeAll } from '../../activities/git/remove-tree.ts';

/** Removes a directory if nothing is in it. */
export function removeIfEmpty(directory: string): void {
  if (existsSync(directory) && readdirSync(directory).length === 0) removeAll(directory);
}
