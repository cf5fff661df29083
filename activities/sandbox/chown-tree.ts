import { lchownSync, lstatSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { ContainerUser } from './container-profile.ts';

/**
 * Gives a directory and everything below it to a user, links themselves and not what they point to. Does nothing where
 * this process is not root, or where the directory belongs to the user already: then its content does, too.
 */
export function chownTree(directory: string, user: ContainerUser): void {
  if (process.getuid?.() !== 0 || lstatSync(directory).uid === user.uid) return;
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    lchownSync(path.join(entry.parentPath, entry.name), user.uid, user.gid);
  }
  // Last, so that an interrupted call is taken up again.
  lchownSync(directory, user.uid, user.gid);
}
