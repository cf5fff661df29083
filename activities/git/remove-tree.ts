import { randomUUID } from 'node:crypto';
import { chmodSync, lstatSync, readdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { setImmediate as pause } from 'node:timers/promises';

/** Bytes of a path, below what is removed, from which a directory is taken up first: the system takes paths up to 4096. */
const DEEP = 2000;
const PAUSE_EVERY = 500;

/** Removes a file or a directory with all it holds, never through a symbolic link, whatever its directories' modes and depth. */
export function removeAll(file: string | Buffer): void {
  const steps = removal(file);
  let done = false;
  while (!done) done = steps.next().done === true;
}

/** {@link removeAll} for what may hold very many files: this process attends to other things in between. */
export async function removeTrees(files: readonly (string | Buffer)[]): Promise<void> {
  let taken = 0;
  for (const file of files) {
    for (const steps = removal(file); steps.next().done !== true;) {
      if ((taken += 1) % PAUSE_EVERY === 0) await pause();
    }
  }
}

/** Takes a step for each entry. */
function* removal(file: string | Buffer): Generator<undefined> {
  const target = typeof file === 'string' ? Buffer.from(file) : file;
  const stat = lstatSync(target, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isDirectory()) {
    unlinkSync(target);
    yield;
    return;
  }
  // The deepest last. One that is emptied stays until all that came after it are gone.
  const open = [{ path: target, emptied: false }];
  for (let last = open.at(-1); last !== undefined; last = open.at(-1)) {
    if (last.emptied || !openUp(last.path)) {
      if (last.emptied) rmdirSync(last.path);
      open.pop();
      continue;
    }
    last.emptied = true;
    for (const entry of readdirSync(last.path, { withFileTypes: true, encoding: 'buffer' })) {
      const child = join(last.path, entry.name);
      if (!entry.isDirectory()) unlinkSync(child);
      else if (child.length - target.length <= DEEP) open.push({ path: child, emptied: false });
      else open.push({ path: takenUp(child, target), emptied: false });
      yield;
    }
  }
}

/** Makes it possible to empty a directory. @returns false if it is gone already */
function openUp(directory: Buffer): boolean {
  if ((lstatSync(directory).mode & 0o700) === 0o700) return true;
  try {
    // One that the kernel made for an overlay belongs to root, and may go all the same when nothing is in it.
    rmdirSync(directory);
    return false;
  } catch {
    chmodSync(directory, 0o700);
    return true;
  }
}

/** Moves a directory to where its path is short. */
function takenUp(directory: Buffer, target: Buffer): Buffer {
  const shelter = join(target, Buffer.from(`.removed-${randomUUID()}`));
  // To be moved, a directory must be writable: its parent's entry in it changes.
  chmodSync(directory, 0o700);
  renameSync(directory, shelter);
  return shelter;
}

function join(directory: Buffer, name: Buffer): Buffer {
  return Buffer.concat([directory, Buffer.from('/'), name]);
}
