import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { readRefs } from '../../activities/git/refs.ts';
import type { Home } from '../../activities/home.ts';

/**
 * The repository of Signalbox that still holds what a run's attempts wrote, though the server may have forgotten the run:
 * the path of its git directory, or `null`.
 */
export function repositoryWith(home: Home, run: string): string | null {
  if (!existsSync(home.repositories)) return null;
  const repositories = readdirSync(home.repositories).filter((name) => name.endsWith('.git'));
  const gitDirs = repositories.map((name) => path.join(home.repositories, name));
  return gitDirs.find((gitDir) => readRefs(gitDir, `refs/signalbox/${run}/`).size > 0) ?? null;
}
