import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createAgents } from '../../activities/agent/agents.ts';
import { createTaskActivities } from '../../activities/attempt/task-activities.ts';
import { inspectUserRepository } from '../../activities/git/inspect-user-repository.ts';
import { repositoryIdentity } from '../../activities/git/user-repository.ts';
import { homeOf, hostId, type Home } from '../../activities/home.ts';
import { createTrainActivities } from '../../activities/merge/train-activities.ts';
import { ProjectHost } from '../../activities/project-host.ts';
import { builtInPrompts } from '../../activities/prompts/templates.ts';
import { ArtefactStore } from '../../activities/records/artefact-store.ts';
import { ManifestReader } from '../../activities/records/manifest-reader.ts';
import { LocalSandbox } from '../../activities/sandbox/local-sandbox.ts';
import type { Sandbox } from '../../activities/sandbox/sandbox.ts';
import type { TaskActivities, TrainActivities } from '../../core/activities.ts';
import { configSchema } from '../../core/config.ts';
import type { RunManifest } from '../../core/run-manifest.ts';
import type { RunRef } from '../../core/run-ref.ts';
import { manifestSchema } from '../../core/task-file.ts';
import { TEST_QUEUE } from './test-queue.ts';

/** A user's repository and a host's activities over the real adapters, without Temporal. */
export interface ProjectWorld {
  repository: string;
  home: Home;
  host: ProjectHost;
  run: RunRef;
  /** Calls an activity as a worker does. */
  task<Name extends keyof TaskActivities>(
    name: Name,
    input: Parameters<TaskActivities[Name]>[0],
  ): ReturnType<TaskActivities[Name]>;
  train<Name extends keyof TrainActivities>(
    name: Name,
    input: Parameters<TrainActivities[Name]>[0],
  ): ReturnType<TrainActivities[Name]>;
  /** Runs git in the user's repository. @returns standard output, trimmed */
  git(...args: string[]): string;
  /** Writes a file of the user's checkout. */
  write(file: string, text: string): void;
  remove(): void;
}

/**
 * Makes a world with tasks whose agents are shell scripts.
 *
 * @param scripts what the agent of each task does in its work tree
 * @param frontMatter what the file of each task says
 * @param options where steps run; who hears what takes long
 */
export async function projectWorld(
  scripts: Record<string, string>,
  config: object = {},
  frontMatter: object = {},
  options: { sandbox?: (home: Home) => Promise<Sandbox>; onProgress?: (text: string) => void } = {},
): Promise<ProjectWorld> {
  const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'signalbox-world-')));
  const repository = path.join(root, 'repository');
  const git = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=U', '-c', 'user.email=u@example.com', ...args], {
      cwd: repository,
      encoding: 'utf8',
    }).trim();
  const write = (file: string, text: string): void => {
    mkdirSync(path.dirname(path.join(repository, file)), { recursive: true });
    writeFileSync(path.join(repository, file), text);
  };
  mkdirSync(repository);
  git('init', '-q', '-b', 'main');
  write('a.txt', 'one\n');
  git('add', '.');
  git('commit', '-qm', 'first');

  const home = homeOf({ SIGNALBOX_HOME: path.join(root, 'home') });
  const store = new ArtefactStore(home.artefacts);
  const manifest: RunManifest = {
    version: 1,
    backend: 'local',
    prompts: builtInPrompts(),
    config: { ...configSchema.parse({ checks: { doctor: 'true' }, ...config }), project: 'world' },
    tasks: Object.entries(scripts).map(([id, script]) => ({
      manifest: {
        ...manifestSchema.parse({ agent: { provider: 'command', command: script }, ...frontMatter }),
        id,
        name: `task-${id}`,
      },
      body: `Do ${id}.`,
      file: `${id}.md`,
      digest: createHash('sha256').update(id).digest('hex'),
    })),
    reused: {},
    catalogue: {},
  };
  const user = await inspectUserRepository(repository);
  const run: RunRef = {
    project: 'world',
    run: 'r1',
    repository: {
      id: repositoryIdentity({ hostId: hostId(home), commonDir: user.commonDir, remoteUrl: null }),
      path: repository,
      branch: 'main',
      host: hostId(home),
    },
    manifest: await store.put(manifest),
  };
  // What agents and checks did is counted in files outside of their work trees.
  const outside = { home, env: process.env, gatewayUrl: '', bubblewrap: 'off' } as const;
  const sandbox = (await options.sandbox?.(home)) ?? new LocalSandbox(outside);
  const host = new ProjectHost({
    home,
    host: hostId(home),
    queue: TEST_QUEUE,
    // Whoever runs the tests may sign their commits: nobody's key is asked for here.
    env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null' },
    manifests: new ManifestReader(store),
    sandboxOf: () => Promise.resolve(sandbox),
    agents: createAgents({ home }),
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
  });
  const tasks = createTaskActivities(host);
  const train = createTrainActivities(host);
  const call = (activity: (input: never) => Promise<unknown>, input: unknown): Promise<unknown> =>
    new MockActivityEnvironment().run(activity as (input: unknown) => Promise<unknown>, input);
  return {
    repository,
    home,
    host,
    run,
    task: (name, input) => call(tasks[name], input) as never,
    train: (name, input) => call(train[name], input) as never,
    git,
    write,
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
