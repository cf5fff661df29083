import { expect } from '@jest/globals';
import type { Home } from '../../activities/home.ts';
import type { Sandbox } from '../../activities/sandbox/sandbox.ts';
import type { AttemptRef, TurnResult } from '../../core/activities.ts';
import type { CheckReport } from '../../core/checks.ts';
import { prepare, turnInput, type Prepared } from './attempts.ts';
import { projectWorld, type ProjectWorld } from './project-world.ts';

/** Makes `deps` with many files, one that tells the lock file, and one that tells the build; and a small one below. */
export const INSTALL = [
  'mkdir -p deps/lib packages/a/deps',
  'cp lock.txt deps/lock.txt',
  'echo nested > packages/a/deps/nested.txt',
  'for i in $(seq 80); do echo $i > deps/lib/$i.txt; done',
  'head -c 12 /dev/urandom | od -An -tx1 > deps/build.txt',
].join(' && ');

/** A configuration whose dependencies are {@link INSTALL}ed. */
export function withBootstrap(
  doctor: string,
  commands: string | string[] = INSTALL,
  network: 'registries' | 'none' = 'none',
  sandbox: 'gateway' | 'none' | 'bridge' = 'none',
): object {
  return {
    checks: {
      doctor,
      bootstrap: { commands, inputs: ['lock.txt'], outputs: ['deps', 'packages/*/deps'], network },
    },
    sandbox: { network: sandbox },
  };
}

/** A project with dependencies, and the activities of its tasks. */
export class BootstrapWorld {
  readonly world: ProjectWorld;
  /** What the worker said takes long. */
  readonly told: string[] = [];

  private constructor(world: ProjectWorld, told: string[]) {
    this.world = world;
    this.told = told;
  }

  /** @param agents what the agent of each task does */
  static async create(
    sandbox: (home: Home) => Promise<Sandbox>,
    agents: Record<string, string>,
    config: object,
  ): Promise<BootstrapWorld> {
    const told: string[] = [];
    const world = await projectWorld(agents, config, {}, { sandbox, onProgress: (text) => told.push(text) });
    world.write('lock.txt', 'locked\n');
    world.write('packages/a/package.txt', 'a package\n');
    world.git('add', '.');
    world.git('commit', '-qm', 'lock');
    return new BootstrapWorld(world, told);
  }

  async prepared(task: string, attemptsBefore = 0): Promise<Prepared> {
    return await prepare(this.world, task, attemptsBefore);
  }

  async turned(attempt: AttemptRef, base: string, turn = 1): Promise<TurnResult> {
    const result = await this.world.task('turn', turnInput({ attempt, made: { base } }, { turn }));
    expect(result).toMatchObject({ outcome: 'finished', reason: null });
    return result;
  }

  /** The verdict on what one turn of the task's agent does. */
  async verified(task: string): Promise<CheckReport> {
    const { attempt, made } = await this.prepared(task);
    const { base } = made;
    const { commit } = await this.turned(attempt, base);
    return await this.world.task('verify', { attempt, base, commit, round: 1, inputs: {} });
  }

  /** A file of a commit. */
  async shown(commit: string, file: string): Promise<string> {
    const bare = await this.world.host.bare(this.world.run.repository);
    return (await bare.git(['show', `${commit}:${file}`])).stdout.toString();
  }

  /** All files of a commit. */
  async namesIn(commit: string): Promise<string[]> {
    const bare = await this.world.host.bare(this.world.run.repository);
    const { stdout } = await bare.git(['ls-tree', '-r', '--name-only', commit]);
    return stdout.toString().trim().split('\n');
  }
}
