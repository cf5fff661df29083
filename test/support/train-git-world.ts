import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TrainMember } from '../../core/train.ts';
import { importMember } from './imported-member.ts';
import { projectWorld, type ProjectWorld } from './project-world.ts';

/**
 * What a member's work is: good, good and in two lanes, red by itself, red with its pair, red by chance once, or in conflict
 * with its twin.
 */
export type WorkKind = 'good' | 'wide' | 'red' | 'pair' | 'flaky' | 'clash';

/** Where a path lies: in one of two lanes, where the project has them, or in none. */
export type Part = '' | 'x/' | 'y/';

/** A member with its work. */
export interface GitMember {
  member: TrainMember;
  kind: WorkKind;
  /** The files that it writes: no other member's, but for those that clash. */
  files: string[];
}

const UNTRACKED = 'what I wrote down';
const EDITED = 'one\nand what I have not committed yet\n';
const PARTS: readonly Part[] = ['', 'x/', 'y/'];

/**
 * A user's repository with the members of two runs in Signalbox's own, and somebody who commits to it meanwhile. What is
 * true of a part of a tree can be told from its names: `broken`, `red-…`, or two `pair-…`s make it red.
 */
export class TrainGitWorld {
  readonly world: ProjectWorld;
  readonly members: GitMember[];
  /** Where the user put their branch themselves. */
  readonly byUser = new Set<string>();
  /** Every commit that the user's branch was seen at. */
  readonly seen = new Set<string>();
  readonly #outside: string;
  readonly #first: string;
  /** Files of commits that could not be. */
  readonly #untidy = new Set<string>();
  #commits = 0;
  #isEdited = false;

  private constructor(world: ProjectWorld, members: GitMember[], outside: string) {
    this.world = world;
    this.members = members;
    this.#outside = outside;
    this.#first = world.git('rev-parse', 'main');
    this.byUser.add(this.#first);
    world.write('notes.txt', UNTRACKED);
  }

  /** @param lanes do members ride in lanes of their own? */
  static async create(kinds: readonly WorkKind[], lanes: boolean, slots: number): Promise<TrainGitWorld> {
    const outside = mkdtempSync(path.join(tmpdir(), 'signalbox-flaky-'));
    const once = path.join(outside, 'once');
    // What the checks of a lane depend on is in its paths, or in nobody's.
    const ofLanes = ['x', 'y'].map((name) => {
      const integration = [checkOf(['', `${name}/` as Part], once)];
      return { name, paths: [`${name}/**`], integration };
    });
    const train = { slots, lanes: lanes ? ofLanes : [] };
    const scripts = Object.fromEntries(kinds.map((_, index) => [`t${index}`, 'true']));
    const world = await projectWorld(scripts, {
      checks: { doctor: 'true', integration: checkOf(PARTS, once) },
      train,
    });
    const members: GitMember[] = [];
    for (const [index, kind] of kinds.entries()) {
      const files = filesOf(kind, index);
      // Two runs of one project, with members of both in each lane.
      const run = Math.floor(index / 2) % 2 === 0 ? 'r1' : 'r2';
      const member = await importMember(world, { run, task: `t${index}`, files, text: String(index) });
      members.push({ member, kind, files });
    }
    return new TrainGitWorld(world, members, outside);
  }

  /**
   * Is a commit as one of Signalbox's must be: green; or red only by what a person left in a lane, where what was merged
   * into it is of the other one?
   */
  isRight(commit: string): boolean {
    const names = this.world.git('ls-tree', '-r', '--name-only', commit).split('\n');
    const [, ...merged] = this.world.git('log', '-1', '--format=%P', commit).split(' ');
    const lane = this.members.find(({ member }) => merged.includes(member.commit))?.member.ride.lane ?? null;
    return PARTS.every((part) => {
      const own = names.filter((name) => name.startsWith(part) && !name.slice(part.length).includes('/'));
      const red = own.filter((name) => path.basename(name).startsWith('red-')).length;
      const pairs = own.filter((name) => path.basename(name).startsWith('pair-')).length;
      const isElsewhere = lane !== null && part !== '' && part !== `${lane}/`;
      return red === 0 && pairs < 2 && (isElsewhere || !own.includes(`${part}broken`));
    });
  }

  /** Does a commit of Signalbox's own repository hold flaky work? Its check may have been red without a reason. */
  isFlaky(commit: string): boolean {
    const { home, run } = this.world;
    const gitDir = path.join(home.repositories, `${run.repository.id}.git`);
    const names = execFileSync('git', ['--git-dir', gitDir, 'ls-tree', '-r', '--name-only', commit], {
      encoding: 'utf8',
    });
    return names.split('\n').some((name) => path.basename(name).startsWith('flaky-'));
  }

  /** Which commits of the user's history merged a member's work. */
  landings({ member }: GitMember): string[] {
    const lines = this.world.git('log', '--merges', '--format=%H %P', 'main').split('\n');
    return lines.filter((line) => line.split(' ').slice(2).includes(member.commit));
  }

  /** The accepted tip holds this member's work, whether the user's branch has it yet or not. */
  async isAccepted({ member }: GitMember): Promise<boolean> {
    const bare = await this.world.host.bare(member.run.repository);
    return await bare.isAncestor(member.commit, bare.tip('main') ?? '');
  }

  /** All accepted work has reached the user's branch, and Signalbox knows that it has. */
  async isLanded(): Promise<boolean> {
    const bare = await this.world.host.bare(this.world.run.repository);
    const theirs = this.world.git('rev-parse', 'main');
    return bare.tip('main') === theirs && bare.ref('refs/user/heads/main') === theirs;
  }

  /** Somebody commits to the user's branch: nothing in particular, or what breaks or mends the checks. */
  commit(what: 'harmless' | 'broken' | 'mended', parts: readonly Part[] = ['']): void {
    const { world } = this;
    const isBroken = PARTS.filter((part) => existsSync(path.join(world.repository, `${part}broken`)));
    if ((what === 'mended') !== isBroken.length > 0 && what !== 'harmless') return;
    this.#commits += 1;
    const files =
      what === 'mended'
        ? isBroken.map((part) => `${part}broken`)
        : parts.map((part) => (what === 'harmless' ? `${part}by-hand-${this.#commits}` : `${part}broken`));
    try {
      if (what === 'mended') world.git('rm', '-q', '--', ...files);
      else {
        for (const file of files) world.write(file, 'x\n');
        world.git('add', '--', ...files);
      }
      world.git('commit', '-q', '-m', what, '--', ...files);
    } catch {
      // A landing had the index at that moment: a person would try again. What was begun is taken back.
      for (const file of files) this.#untidy.add(file);
      this.tidy();
      return;
    }
    // Nothing is between the commit and its look: a landing needs a checkout that is clean, and takes longer.
    this.byUser.add(world.git('rev-list', '-1', '--grep', `^${what}$`, '--author=u@example.com', 'main'));
  }

  /**
   * The user takes the last commit out of their branch.
   *
   * @returns the commits that are not in it any more; none where git refused, or they had work there that it would cost
   */
  takeBack(): string[] {
    const { world } = this;
    if (this.#isEdited || this.#untidy.size > 0 || world.git('rev-parse', 'main') === this.#first) return [];
    try {
      world.git('reset', '-q', '--hard', 'HEAD~1');
    } catch {
      return [];
    }
    // Something may have landed in that very moment: git itself says what was where.
    const log = world.git('log', '-g', '--format=%H %gs', 'main').split('\n');
    const at = log.findIndex((line) => line.slice(41).startsWith('reset'));
    const [after = '', before = ''] = log.slice(at, at + 2).map((line) => line.slice(0, 40));
    this.byUser.add(after);
    return world.git('rev-list', before, `^${after}`).split('\n');
  }

  /** Takes back what could not be committed. @returns whether all of it is; a landing may have the index again */
  tidy(): boolean {
    for (const file of this.#untidy) {
      try {
        this.world.git('reset', '-q', '--', file);
        if (this.#isTracked(file)) this.world.git('checkout', '-q', '--', file);
        else rmSync(path.join(this.world.repository, file), { force: true });
        this.#untidy.delete(file);
      } catch {
        return false;
      }
    }
    return true;
  }

  #isTracked(file: string): boolean {
    return this.world.git('ls-files', '--', file) !== '';
  }

  /** The user edits a file of theirs, which holds up landings; or looks at it and takes that back. @returns was it as they left it? */
  edit(): boolean {
    const file = path.join(this.world.repository, 'a.txt');
    const asLeft = readFileSync(file, 'utf8') === (this.#isEdited ? EDITED : 'one\n');
    this.#isEdited = !this.#isEdited;
    this.world.write('a.txt', this.#isEdited ? EDITED : 'one\n');
    return asLeft;
  }

  get isEdited(): boolean {
    return this.#isEdited;
  }

  look(): void {
    this.seen.add(this.world.git('rev-parse', 'main'));
  }

  /** Every commit that the branch was ever at, by its own log too. */
  history(): string[] {
    const log = this.world.git('reflog', 'show', '--format=%H', 'main').split('\n');
    return [...new Set([...log, ...this.seen])];
  }

  /** What is left in the checkout besides the branch's own files. */
  status(): string {
    return this.world.git('status', '--porcelain');
  }

  notesAreKept(): boolean {
    return readFileSync(path.join(this.world.repository, 'notes.txt'), 'utf8') === UNTRACKED;
  }

  /** Is git's own view of the user's repository whole? */
  isWhole(): boolean {
    try {
      execFileSync('git', ['fsck', '--no-dangling'], { cwd: this.world.repository, stdio: 'pipe' });
      return true;
    } catch {
      return false;
    }
  }

  remove(): void {
    this.world.remove();
    rmSync(this.#outside, { recursive: true, force: true });
  }
}

/** A check of these parts of a tree. @param once a directory that does not exist until flaky work was red */
function checkOf(parts: readonly Part[], once: string): string {
  const lanes = parts.filter((part) => part !== '').join(' ');
  return [
    'sleep 0.1',
    ...parts.map((part) => `[ ! -e ${part}broken ] || exit 1`),
    `for red in ${parts.map((part) => `${part}red-*`).join(' ')}; do [ ! -e "$red" ] || exit 1; done`,
    `[ "$(ls ${lanes} 2>/dev/null | grep -c "^pair-")" -lt 2 ] || exit 1`,
    `if ls ${lanes} 2>/dev/null | grep -q "^flaky-" && mkdir ${once} 2>/dev/null; then exit 1; fi`,
  ].join('\n');
}

function filesOf(kind: WorkKind, index: number): string[] {
  if (kind === 'clash') return ['x/clash'];
  // Those that are red together are in one lane: so says who sets lanes up.
  const places = kind === 'wide' ? ['x', 'y'] : [kind === 'pair' || index % 2 === 0 ? 'x' : 'y'];
  return places.map((place) => `${place}/${kind}-${index}`);
}
