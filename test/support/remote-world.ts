import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createRemoteActivities } from '../../activities/remotes/remote-activities.ts';
import type { RemoteActivities } from '../../core/remote.ts';
import { packMembers } from '../../core/packed-train.ts';
import type { Candidate } from '../../core/train-lane.ts';
import type { TrainMember } from '../../core/train.ts';
import { acceptAndLand, type Advanced } from './accept-and-land.ts';
import { finish } from './attempts.ts';
import { gitHubServer, type GitHubServer } from './github-server.ts';
import { gitHttpServer, type GitHttpServer } from './git-http-server.ts';
import { projectWorld, type ProjectWorld } from './project-world.ts';

/** A project whose repository has a remote `origin` on a real git server, with a stand-in for GitHub's API over it. */
export interface RemoteWorld extends ProjectWorld {
  server: GitHttpServer;
  api: GitHubServer;
  token: string;
  env: Record<string, string | undefined>;
  remote<Name extends keyof RemoteActivities>(
    name: Name,
    input: Parameters<RemoteActivities[Name]>[0],
    environment?: MockActivityEnvironment,
  ): ReturnType<RemoteActivities[Name]>;
  /** Lets the agent of a task work, and gives its member for the train. */
  finished(task: string): Promise<TrainMember>;
  /** Merges members onto the accepted tip as the train does; without any, only what the user committed is joined. */
  candidate(...members: TrainMember[]): Promise<Candidate>;
  /** Accepts and lands a candidate of these members. */
  advance(candidate: Candidate, ...members: TrainMember[]): Promise<Advanced>;
  /** Runs git in the remote's repository. */
  far(...args: string[]): string;
  /** Commits a file on a branch of the remote, as somebody else. @returns the commit */
  elsewhere(file: string, branch?: string): string;
  close(): Promise<void>;
}

/** Makes a world; see {@link projectWorld}. @param remote the configuration's `repository.remote` but its name */
export async function remoteWorld(
  scripts: Record<string, string>,
  remote: object,
  config: object = {},
): Promise<RemoteWorld> {
  const world = await projectWorld(scripts, { ...config, repository: { remote: { name: 'origin', ...remote } } });
  const root = mkdtempSync(path.join(tmpdir(), 'signalbox-remote-'));
  const server = await gitHttpServer(root);
  const token = `ghp_${'s3cr3t'.repeat(6)}`;
  server.password = token;
  const api = await gitHubServer(server.gitDir, token);
  const env: Record<string, string | undefined> = {
    ...{ PATH: process.env['PATH'], HOME: root, GH_CONFIG_DIR: path.join(root, 'gh') },
    ...{ GITHUB_SERVER_URL: server.url, GITHUB_API_URL: api.url, GH_TOKEN: token },
  };
  world.git('remote', 'add', 'origin', `${server.url}/team/project.git`);
  world.git('push', '-q', server.gitDir, 'main');
  Object.assign(world.host, { env });
  const activities = createRemoteActivities(world.host, { git: [1, 1], api: 1, watch: [20] });
  let clones = 0;
  const self: RemoteWorld = {
    ...world,
    ...{ server, api, token, env },
    remote: (name, input, environment = new MockActivityEnvironment()) =>
      environment.run(activities[name] as (given: unknown) => Promise<unknown>, input) as never,
    finished: (task) => finish(world, task),
    candidate: async (...members) => {
      const { run } = world;
      const prefixes = members.map((_, index) => ({ id: index + 1, size: index + 1 }));
      const request = { repository: run.repository, run, members: packMembers(members), prefixes };
      const result = await world.train('candidates', request);
      if (result.kind === 'conflict') throw new Error(result.reason);
      const { base, tip } = result;
      return { commit: result.commits.at(-1) ?? base, base, tip };
    },
    advance: (candidate, ...members) => acceptAndLand(world, candidate, members),
    far: (...args) => api.state.git(...args),
    elsewhere: (file, branch = 'main') => {
      const clone = path.join(root, `clone-${(clones += 1)}`);
      const git = (cwd: string, ...args: string[]): string =>
        execFileSync('git', ['-c', 'user.name=O', '-c', 'user.email=o@example.org', ...args], {
          cwd,
          encoding: 'utf8',
          stdio: 'pipe',
        }).trim();
      git(root, 'clone', '-q', '-b', branch, server.gitDir, clone);
      mkdirSync(path.dirname(path.join(clone, file)), { recursive: true });
      execFileSync('sh', ['-c', `echo ${file} > ${file}`], { cwd: clone });
      git(clone, 'add', '-A');
      git(clone, 'commit', '-qm', `Add ${file}`);
      git(clone, 'push', '-q', 'origin', branch);
      return git(clone, 'rev-parse', 'HEAD');
    },
    close: async () => {
      await Promise.all([server.close(), api.close()]);
      rmSync(root, { recursive: true, force: true });
      world.remove();
    },
  };
  return self;
}
