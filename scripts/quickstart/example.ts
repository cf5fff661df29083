import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';

/** A copy of the example: its folder and the repository in it. */
export interface ExampleCopy {
  folder: string;
  repository: string;
}

/**
 * Builds a fresh copy of the example repository in `<place>/<time>/branchline` and removes older ones. `forget` is
 * called with each older repository before it goes.
 */
export async function createExample(
  root: string,
  place: string,
  now: Date,
  forget: (repository: string) => Promise<void>,
): Promise<ExampleCopy> {
  mkdirSync(place, { recursive: true });
  for (const old of readdirSync(place).filter((name) => /^\d{8}T\d{6}$/.test(name))) {
    await forget(join(place, old, 'branchline'));
    rmSync(join(place, old), { recursive: true, force: true });
  }
  const folder = join(place, now.toISOString().replace(/[-:]|\..*/g, ''));
  const repository = join(folder, 'branchline');
  await execa(join(root, 'examples/branchline/create.sh'), [repository], { stdio: ['ignore', 'inherit', 'inherit'] });
  return { folder, repository };
}
