import { execFileSync } from 'node:child_process';
import { taskBranch } from '../../core/task-branch.ts';
import type { TrainMember } from '../../core/train.ts';
import { Refusal } from './github-state.ts';
import { importMember } from './imported-member.ts';
import { remoteWorld, type RemoteWorld } from './remote-world.ts';

/** What a member's work is: good, red here, red only in the remote's own checks, or in conflict with its twin. */
export type RequestKind = 'good' | 'red' | 'ci-red' | 'clash';

/** A member with its work. */
export interface RequestMember {
  member: TrainMember;
  kind: RequestKind;
  /** The file that it writes: no other member's, but for those that clash. */
  file: string;
  /** Its branch on the remote. */
  branch: string;
}

const PERSON = 'ada';
const EDITED = 'one\nand what I have not committed yet\n';

/**
 * A user's repository with the members of two runs, which go through pull requests on a real git server; its own checks,
 * and people who merge, close and push there. `broken` and `red-…` make a tree red, on the remote `ci-red-…` does, too.
 */
export class TrainRemoteWorld {
  readonly world: RemoteWorld;
  readonly members: RequestMember[];
  /** What people merged, and what they closed. */
  readonly merged = new Set<RequestMember>();
  readonly closed = new Set<RequestMember>();
  /** Commits that people pushed to tasks' branches. */
  readonly foreign = new Set<string>();
  readonly #first: string;
  #pushes = 0;
  #isEdited = false;

  private constructor(world: RemoteWorld, members: RequestMember[]) {
    this.world = world;
    this.members = members;
    this.#first = world.git('rev-parse', 'main');
  }

  static async create(kinds: readonly RequestKind[], slots: number): Promise<TrainRemoteWorld> {
    const check = 'sleep 0.1\n[ ! -e broken ] || exit 1\nfor red in red-*; do [ ! -e "$red" ] || exit 1; done';
    const scripts = Object.fromEntries(kinds.map((_, index) => [`t${index}`, 'true']));
    // What has no verdict of the remote's own checks is not merged without one.
    const remote = { push: 'pull_request', grace: '1h', labels: ['signalbox'], reviewers: [PERSON] };
    const config = { checks: { doctor: 'true', integration: check }, train: { slots } };
    const world = await remoteWorld(scripts, remote, config);
    world.far('config', 'core.logAllRefUpdates', 'always');
    const members: RequestMember[] = [];
    for (const [index, kind] of kinds.entries()) {
      const file = kind === 'clash' ? 'clash' : `${kind}-${index}`;
      const run = Math.floor(index / 2) % 2 === 0 ? 'r1' : 'r2';
      const member = await importMember(world, { run, task: `t${index}`, files: [file], text: String(index) });
      const { config: pinned } = await world.host.manifests.manifest(member.run);
      members.push({ member, kind, file, branch: taskBranch(pinned, run, member.task) });
    }
    return new TrainRemoteWorld(world, members);
  }

  /** Members whose requests can be merged by a person; or whose are open at all. */
  withRequest(how: 'ready' | 'open'): RequestMember[] {
    return this.members.filter((one) => {
      const request = this.#open(one);
      return request !== undefined && (how === 'open' || (!request.draft && one.kind !== 'ci-red'));
    });
  }

  /** The open request of a member, if there is one. */
  #open({ branch }: RequestMember): { number: number; draft: boolean } | undefined {
    return this.world.api.state.pulls.find(({ head, open }) => open && head === branch);
  }

  /** The remote's own checks get on: what is new is queued, and what is queued may get its verdict. */
  check(isEnded: () => boolean): void {
    const { state } = this.world.api;
    for (const { open, head: branch } of state.pulls) {
      const head = open ? state.tip(branch) : null;
      if (head === null) continue;
      const [known] = state.runs.get(head) ?? [];
      if (known === undefined) state.report(head, { name: 'ci', status: 'queued', conclusion: null });
      if (known?.status !== 'queued' || !isEnded()) continue;
      const isRed = /^(?:broken|red-.*|ci-red-.*)$/m.test(state.git('ls-tree', '--name-only', head));
      state.report(head, { name: 'ci', conclusion: isRed ? 'failure' : 'success' });
    }
  }

  /** A person merges a member's request, if there is one that can be merged. @returns whether they did */
  merge(one: RequestMember): boolean {
    const request = this.#open(one);
    if (request === undefined || one.kind === 'ci-red') return false;
    try {
      this.world.api.state.merge(request.number, PERSON, { method: 'merge', message: `Merge #${request.number}` });
    } catch (error) {
      if (error instanceof Refusal) return false;
      throw error;
    }
    this.merged.add(one);
    return true;
  }

  close(one: RequestMember): boolean {
    const request = this.#open(one);
    if (request === undefined) return false;
    this.world.api.state.close(request.number, PERSON);
    this.closed.add(one);
    return true;
  }

  /** Whose branch holds what a person pushed there. */
  withForeign(): RequestMember[] {
    return this.members.filter(({ branch }) => this.foreign.has(this.world.api.state.tip(branch) ?? ''));
  }

  /** A person takes away a branch that is not needed any more. */
  deleteBranch({ branch }: RequestMember): void {
    if (this.world.api.state.tip(branch) !== null) this.world.far('update-ref', '-d', `refs/heads/${branch}`);
  }

  /** A person pushes to a member's branch, if it has a request. */
  pushTo(one: RequestMember): boolean {
    if (this.#open(one) === undefined) return false;
    this.#pushes += 1;
    this.foreign.add(this.#commit(one.branch, `M 644 inline by-hand-${this.#pushes}\ndata 1\nx\n`));
    return true;
  }

  /** A person pushes to the integration branch of the remote. */
  pushMain(what: 'harmless' | 'broken' | 'mended'): void {
    const isBroken = this.world.far('ls-tree', '--name-only', 'main', 'broken') !== '';
    if (what !== 'harmless' && (what === 'mended') !== isBroken) return;
    this.#pushes += 1;
    const file = what === 'harmless' ? `by-hand-${this.#pushes}` : 'broken';
    this.#commit('main', what === 'mended' ? `D ${file}\n` : `M 644 inline ${file}\ndata 1\nx\n`);
  }

  #commit(branch: string, change: string): string {
    const ref = `refs/heads/${branch}`;
    const head = `commit ${ref}\ncommitter A <a@example.com> 1700000000 +0000\ndata 4\npush\nfrom ${ref}^0\n`;
    const { gitDir } = this.world.server;
    execFileSync('git', ['--git-dir', gitDir, 'fast-import', '--quiet', '--done'], { input: `${head}${change}done\n` });
    return this.world.far('rev-parse', ref);
  }

  /** The line breaks, once: at the API or at git, before anything is done or after it. */
  cut(how: 'cut' | 'late', at: 'api' | 'git'): void {
    const { api, server } = this.world;
    if (at === 'api') api.faults.push({ answer: how });
    else if (how === 'cut') server.cuts.requests = 1;
    else server.cuts.answers = 1;
  }

  /** No line breaks any more. */
  mendLines(): void {
    this.world.api.faults.length = 0;
    Object.assign(this.world.server.cuts, { requests: 0, answers: 0 });
  }

  /** Who merged a member's request, if anybody did. */
  mergedBy({ branch }: RequestMember): string[] {
    const pulls = this.world.api.state.pulls.filter(({ head, merge }) => head === branch && merge !== null);
    return pulls.map(({ by }) => (by === PERSON ? 'a person' : 'Signalbox'));
  }

  /** How many requests a member ever had. */
  requestsOf({ branch }: RequestMember): number {
    return this.world.api.state.pulls.filter(({ head }) => head === branch).length;
  }

  /** How often the remote's branch holds a member's work. */
  landings({ member }: RequestMember): number {
    const lines = this.world.far('log', '--format=%P', 'main').split('\n');
    return lines.filter((line) => line.split(' ').slice(1).includes(member.commit)).length;
  }

  /** The user edits a file of theirs, which holds up landings; or takes that back. */
  edit(): void {
    this.#isEdited = !this.#isEdited;
    this.world.write('a.txt', this.#isEdited ? EDITED : 'one\n');
  }

  get isEdited(): boolean {
    return this.#isEdited;
  }

  /** Every commit that the user's branch was ever at, but the first. */
  history(): string[] {
    const log = this.world.git('reflog', 'show', '--format=%H', 'main').split('\n');
    return [...new Set(log)].filter((commit) => commit !== this.#first);
  }

  /** Are the integration checks of a commit of the user's green, in truth? */
  isGreen(commit: string): boolean {
    return !/^(?:broken|red-.*)$/m.test(this.world.git('ls-tree', '--name-only', commit));
  }

  /** Has the user's branch nothing that the remote's lacks? */
  isBehind(): boolean {
    const { world } = this;
    world.git('fetch', '-q', world.server.gitDir, 'main');
    return world.git('merge-base', 'main', 'FETCH_HEAD') === world.git('rev-parse', 'main');
  }

  /** Moves of the remote's branches that were no fast-forward, and took away what a person had pushed. */
  forced(): string[] {
    const { world } = this;
    const branches = ['main', ...this.members.map(({ branch }) => branch)];
    return branches.flatMap((branch) => {
      if (world.api.state.tip(branch) === null) return [];
      const log = world.far('log', '-g', '--format=%H', `refs/heads/${branch}`, '--').split('\n').filter(Boolean);
      return log.flatMap((commit, index) => {
        const before = log[index + 1];
        if (before === undefined || world.far('merge-base', before, commit) === before) return [];
        return branch === 'main' || this.foreign.has(before) ? [`${branch}: ${before} by ${commit}`] : [];
      });
    });
  }
}
