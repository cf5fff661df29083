import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { SignalboxError } from '../../core/failures.ts';
import type { Place } from './place.ts';

/** Copies of the example are named after the time at which they were made. */
const FOLDER = /^\d{8}T\d{6}$/;

/** The folders of the copies that exist, the oldest first. */
export function oldFolders({ directory }: Place): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => FOLDER.test(name))
    .sort()
    .map((name) => join(directory, name));
}

/** The example repository in a folder of {@link oldFolders} or {@link createExample}. */
export function repositoryIn(folder: string): string {
  return join(folder, 'branchline');
}

/** Builds a fresh copy of the example repository. Returns its folder. */
export async function createExample(place: Place, now: Date): Promise<string> {
  const folder = join(place.directory, now.toISOString().replace(/[-:]|\..*/g, ''));
  mkdirSync(folder, { recursive: true });
  const built = await execa(join(place.root, 'examples/branchline/create.sh'), [repositoryIn(folder)], {
    stdin: 'ignore',
    all: true,
    reject: false,
  });
  if (built.failed) throw new SignalboxError('environment', `the example could not be built:\n${built.all}`);
  return folder;
}
