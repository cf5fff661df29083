import { lstatSync } from 'node:fs';
import path from 'node:path';
import type { BareRepository } from './bare-repository.ts';
import { landingPlaces } from './user-git.ts';
import type { UserRepository } from './user-repository.ts';
import { userSettings } from './user-settings.ts';
import { workTreesOf, type Obstacle, type WorkTree } from './worktrees.ts';

/** Settings that name programs which git runs when it moves a checkout. All others of that kind are switched off. */
const PROGRAMS = /^filter\.(.+)\.(?:clean|smudge|process)$/;

/** Programs whose first argument is one, too. */
const INTERPRETERS = /^(?:env|sh|bash|dash|zsh|ksh|python[\d.]*|node|deno|bun|perl|ruby|php|awk|gawk)$/;

/** What is about to land where. */
export interface ProgramsRequest {
  bare: BareRepository;
  user: UserRepository;
  branch: string;
  commit: string;
}

/**
 * Would git, when it moves a checkout of the branch, run something that work which landed, or lands now, can have written?
 * So it is where the user's settings for filters lie in a work tree, by an include, or name a program in one. One
 * process for each checkout.
 */
export async function programInCheckout(request: ProgramsRequest): Promise<Obstacle | null> {
  const landing = landingPlaces(request.user);
  for (const tree of workTreesOf(request.user, request.branch)) {
    const settings = await userSettings(tree.gitDir, PROGRAMS);
    // Of each, the last word counts.
    for (const { key, value, file } of new Map(settings.map((setting) => [setting.key, setting])).values()) {
      const [, name = ''] = PROGRAMS.exec(key) ?? [];
      if (landing(file)) return obstacle(tree, `the filter ${name} is set in ${file}`);
      const program = await programInside(value, tree, landing, request);
      if (program !== null) return obstacle(tree, `the filter ${name} runs ${program}`);
    }
  }
  return null;
}

function obstacle({ topLevel, gitDir }: WorkTree, what: string): Obstacle {
  return {
    reason: `git would run what the work of agents can change: ${what}, in ${topLevel ?? gitDir}`,
    hint: 'Keep the settings of filters, and the programs that they name, outside of the repository.',
  };
}

/** The program or script of a command line that lies in a work tree, now or after the landing; `null` if none does. */
async function programInside(
  command: string,
  { topLevel }: WorkTree,
  landing: (file: string) => boolean,
  { bare, commit }: ProgramsRequest,
): Promise<string | null> {
  const words = command
    .replaceAll(/["'\\]/g, '')
    .split(/[\s;|&()<>=`]+/)
    .filter((word) => word !== '');
  for (const [at, word] of words.entries()) {
    const before = words.slice(0, at).findLast((one) => !one.startsWith('-')) ?? '';
    if (path.isAbsolute(word)) {
      if (landing(word)) return word;
    } else if (topLevel !== null && (word.includes('/') || INTERPRETERS.test(path.basename(before)))) {
      const name = path.normalize(word);
      if (name.startsWith('..')) {
        if (landing(path.join(topLevel, name))) return word;
        continue;
      }
      if (lstatSync(path.join(topLevel, name), { throwIfNoEntry: false }) !== undefined) return word;
      const { stdout } = await bare.git(['ls-tree', '-z', '--name-only', commit, '--', name]);
      if (stdout.length > 0) return word;
    }
  }
  return null;
}
