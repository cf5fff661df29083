import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { rideOf } from '../../activities/merge/ride.ts';
import { attemptRef } from '../../core/ids.ts';
import type { TrainMember } from '../../core/train.ts';
import { projectWorld, type ProjectWorld } from './project-world.ts';

/** What a member's work is: good, red by itself, red with its pair, red by chance once, or in conflict with its twin. */
export type WorkKind = 'good' | 'red' | 'pair' | 'flaky' | 'clash';

/** A member with its work. */
export interface GitMember {
  member: TrainMember;
  kind: WorkKind;
  /** The file that it writes: no other member's, but for those that clash. */
  file: string;
}

const UNTRACKED = 'what I wrote down';
const EDITED = 'one\nand what I have not committed yet\n';

/**
 * A user's repository with a train's members in Signalbox's own, and somebody who commits to it meanwhile. What is true of
 * a tree can be told from its names: `broken`, `red-…`, or both `pair-…`s make it red.
 */
export class TrainGitWorld {
  readonly world: ProjectWorld;
  readonly members: GitMember[];
  /** Where the user put their branch themselves. */
  readonly byUser = new Set<string>();
  /** Every commit that the user's branch was seen at. */
  readonly seen = new Set<string>();
  readonly #outside: string;
  /** Files of commits that could not be. */
  readonly #untidy = new Set<string>();
  #commits = 0;

  private constructor(world: ProjectWorld, members: GitMember[], outside: string) {
    this.world = world;
    this.members = members;
    this.#outside = outside;
    this.byUser.add(world.git('rev-parse', 'main'));
    world.write('notes.txt', UNTRACKED);
  }

  /** @param lanes do members ride in lanes of their own? */
  static async create(kinds: readonly WorkKind[], lanes: boolean, slots: number): Promise<TrainGitWorld> {
    const outside = mkdtempSync(path.join(tmpdir(), 'signalbox-flaky-'));
    const check = [
      'sleep 0.1',
      '[ ! -e broken ] || exit 1',
      'for red in x/red-* y/red-*; do [ ! -e "$red" ] || exit 1; done',
      '[ "$(ls x y 2>/dev/null | grep -c "^pair-")" -lt 2 ] || exit 1',
      `if ls x y 2>/dev/null | grep -q "^flaky-" && mkdir ${outside}/once 2>/dev/null; then exit 1; fi`,
    ].join('\n');
    const names = lanes ? ['x', 'y'] : [];
    const train = { slots, lanes: names.map((name) => ({ name, paths: [`${name}/**`] })) };
    const scripts = Object.fromEntries(kinds.map((_, index) => [`t${index}`, 'true']));
    const world = await projectWorld(scripts, { checks: { doctor: 'true', integration: check }, train });
    const { run, host } = world;
    const bare = await host.bare(run.repository);
    const base = await bare.importBranch(await host.user(run.repository), 'main');
    const members: GitMember[] = [];
    for (const [index, kind] of kinds.entries()) {
      const { manifest, task } = await host.manifests.task(run, `t${index}`);
      // Those that are red together, or clash, are in one lane: so says who sets lanes up.
      const place = kind === 'pair' || kind === 'clash' || index % 2 === 0 ? 'x' : 'y';
      const file = kind === 'clash' ? 'x/clash' : `${place}/${kind}-${index}`;
      const ref = attemptRef(run.run, `t${index}`, 1);
      const stream = [
        `commit ${ref}\ncommitter T <t@example.com> 1700000000 +0000\ndata 4\nwork`,
        `from ${base}\nM 100644 inline ${file}\ndata ${String(index).length}\n${index}\ndone\n`,
      ].join('\n');
      await bare.git(['fast-import', '--quiet', '--done'], { input: stream });
      const name = task.manifest.name;
      const ride = rideOf(manifest, task, [file]);
      const commit = bare.ref(ref)!;
      members.push({ member: { run, task: `t${index}`, name, attempt: 1, commit, base, ride }, kind, file });
    }
    return new TrainGitWorld(world, members, outside);
  }

  /** Is a commit green, in truth? */
  isGreen(commit: string): boolean {
    const names = this.world.git('ls-tree', '-r', '--name-only', commit).split('\n');
    const bases = names.map((name) => path.basename(name));
    const pairs = bases.filter((name) => name.startsWith('pair-')).length;
    return !names.includes('broken') && !bases.some((name) => name.startsWith('red-')) && pairs < 2;
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

  /** Somebody commits to the user's branch: nothing in particular, or what breaks or mends the checks. */
  commit(what: 'harmless' | 'broken' | 'mended'): void {
    const { world } = this;
    const isBroken = existsSync(path.join(world.repository, 'broken'));
    if ((what === 'mended') !== isBroken && what !== 'harmless') return;
    this.#commits += 1;
    const file = what === 'harmless' ? `by-hand-${this.#commits}` : 'broken';
    try {
      if (what === 'mended') world.git('rm', '-q', '--', file);
      else {
        world.write(file, 'x\n');
        world.git('add', '--', file);
      }
      world.git('commit', '-q', '-m', what, '--', file);
    } catch {
      // A landing had the index at that moment: a person would try again. What was begun is taken back.
      this.#untidy.add(file);
      this.tidy();
      return;
    }
    // Nothing is between the commit and its look: a landing needs a checkout that is clean, and takes longer.
    this.byUser.add(world.git('rev-list', '-1', '--grep', `^${what}$`, '--author=u@example.com', 'main'));
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

  /** The user edits a file of theirs, which holds up landings. */
  edit(): void {
    this.world.write('a.txt', EDITED);
  }

  /** They look at it, find it as they left it, and take it back. */
  unedit(): boolean {
    const file = path.join(this.world.repository, 'a.txt');
    const asLeft = readFileSync(file, 'utf8') === EDITED;
    this.world.write('a.txt', 'one\n');
    return asLeft;
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
