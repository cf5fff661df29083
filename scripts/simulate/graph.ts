import type { Claims } from '../../core/globs.ts';
import { newView } from './view.ts';
import type { TaskView } from '../../core/run-state.ts';
import { Random } from './random.ts';

/** A task, and what will become of it whenever it runs. */
export interface SimTask {
  view: TaskView;
  /** How long each of its attempts takes, milliseconds; all but the last fail. */
  attempts: number[];
  /** Does its last attempt fail, too? */
  fails: boolean;
}

/** A run of a simulation. */
export interface SimRunInput {
  id: string;
  maxParallel: number;
  tasks: SimTask[];
}

/** Runs on one repository. */
export interface SimInput {
  seed: number;
  runs: SimRunInput[];
}

const MINUTE = 60_000;
/** Directories of a repository. */
type Tree = [string, ...string[]];

const EVERYTHING: Claims = { reads: [], writes: ['**'] };
/** What tasks write besides their own. */
const SHARED = ['package.json', 'schema.sql', 'CHANGELOG.md'] as const;

/** What is drawn once for a graph, so that graphs differ from one another. */
interface Character {
  /** Dependencies of a task, on average. */
  dependencies: number;
  /** How far back in the catalogue they lie, as a share of it: small means long chains. */
  reach: number;
  /** How skewed durations are. */
  sigma: number;
  estimates: 'known' | 'noisy' | 'missing';
  /** At most so many other directories are read by a task. */
  reads: number;
  /** Shares of tasks: that write a second directory, a file that many write, a whole package, or say nothing. */
  second: number;
  shared: number;
  wide: number;
  undeclared: number;
  /** How likely an attempt is to fail. */
  failure: number;
  /** The share of tasks with a priority. */
  prioritised: number;
}

/** The graph of a seed; what it is drawn from is told in docs/simulation.md. */
export function randomGraph(seed: number): SimInput {
  const random = new Random(seed);
  const count = Math.round(random.spread(10, 200));
  const tree = randomTree(random, count * random.spread(0.5, 4));
  const character: Character = {
    dependencies: random.spread(0.2, 2.5),
    reach: random.spread(0.05, 1),
    sigma: 0.4 + 0.8 * random.next(),
    estimates: random.pick(['known', 'noisy', 'missing']),
    reads: random.integer(0, 3),
    second: random.spread(0.02, 0.5),
    shared: random.chance(0.5) ? 0 : random.spread(0.01, 0.2),
    wide: random.chance(0.5) ? 0 : random.spread(0.005, 0.05),
    undeclared: random.chance(0.8) ? 0 : random.spread(0.005, 0.05),
    failure: random.chance(0.3) ? 0 : random.spread(0.01, 0.2),
    prioritised: random.chance(0.8) ? 0 : random.spread(0.05, 0.5),
  };
  const runs = random.chance(0.25) && count >= 20 ? 2 : 1;
  return {
    seed,
    runs: Array.from({ length: runs }, (_, index) => ({
      id: `run-${index + 1}`,
      maxParallel: Math.round(random.spread(1, 16)),
      tasks: randomTasks(random, Math.round(count / runs), tree, character),
    })),
  };
}

function randomTasks(random: Random, count: number, tree: Tree, character: Character): SimTask[] {
  const tasks: SimTask[] = [];
  for (let index = 0; index < count; index += 1) {
    const attempts = [duration(random, character)];
    while (attempts.length < 3 && random.chance(character.failure)) attempts.push(duration(random, character));
    const estimate = estimateOf(random, attempts[0] ?? 0, character);
    const id = String(index).padStart(3, '0');
    tasks.push({
      view: newView(id, {
        depends_on: dependenciesOf(random, tasks, character),
        priority: random.chance(character.prioritised) ? random.integer(1, 3) : 0,
        claims: claimsOf(random, tree, character),
        estimate,
      }),
      attempts,
      fails: attempts.length === 3 && random.chance(character.failure),
    });
  }
  return tasks;
}

function duration(random: Random, { sigma }: Character): number {
  return Math.round(Math.min(4 * 60, Math.max(1, random.skewed(12, sigma))) * MINUTE);
}

function estimateOf(random: Random, actual: number, { estimates }: Character): number | null {
  if (estimates === 'missing') return random.chance(0.1) ? Math.round(random.skewed(actual, 0.5)) : null;
  if (estimates === 'known') return actual;
  return random.chance(0.2) ? null : Math.round(random.skewed(actual, 0.5));
}

function dependenciesOf(random: Random, before: readonly SimTask[], { dependencies, reach }: Character): string[] {
  const found = new Set<string>();
  const window = Math.max(1, Math.round(before.length * reach));
  for (let wanted = dependencies; random.next() < wanted && before.length > 0; wanted -= 1) {
    found.add(before[before.length - random.integer(1, window)]?.view.id ?? '');
  }
  return [...found].filter((id) => id !== '').sort();
}

function claimsOf(random: Random, tree: Tree, character: Character): Claims {
  if (random.chance(character.undeclared)) return EVERYTHING;
  const own = random.pick(tree);
  const writes = random.chance(character.wide) ? [`${own.split('/')[0] ?? own}/**`] : [`${own}/**`];
  if (random.chance(character.second)) writes.push(`${random.pick(tree)}/**`);
  if (random.chance(character.shared)) writes.push(random.pick(SHARED));
  const reads = Array.from({ length: random.integer(0, character.reads) }, () => `${random.pick(tree)}/**`);
  return { reads: [...new Set(reads)], writes: [...new Set(writes)] };
}

/** About so many directories of a repository: packages, with folders, with folders in them. */
function randomTree(random: Random, size: number): Tree {
  const tree: Tree = ['docs'];
  for (let one = 0; tree.length < size; one += 1) {
    const folders = random.integer(1, 8);
    for (let folder = 0; folder < folders; folder += 1) {
      const path = `package-${one}/folder-${folder}`;
      tree.push(path, ...Array.from({ length: random.integer(0, 3) }, (_, sub) => `${path}/part-${sub}`));
    }
  }
  return tree;
}
