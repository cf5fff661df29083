import type { Config } from '../../core/config.ts';
import { SignalboxError } from '../../core/failures.ts';
import type { RemoteActivities, RemoteRefusal } from '../../core/remote.ts';
import type { RunRef } from '../../core/run-ref.ts';
import type { RequestReport } from '../../core/request-body.ts';
import { changeSummary } from '../../core/change-summary.ts';
import { loosenings } from '../../core/loosened.ts';
import { taskBranch } from '../../core/task-branch.ts';
import type { TrainMember } from '../../core/train.ts';
import { checksOf } from '../attempt/task-checks.ts';
import { findingsOf } from '../attempt/work-facts.ts';
import { fileStats } from '../git/diff.ts';
import { KeyedMutex } from '../keyed-mutex.ts';
import type { ProjectHost } from '../project-host.ts';
import { attended, type StepControl } from '../step-control.ts';
import { followRemote } from './follow.ts';
import { GitHubClient, type GitHubClientOptions } from './github-client.ts';
import { GitRemote, refusalOf, type GitRemoteOptions } from './git-remote.ts';
import { mergeRequest } from './merge-request.ts';
import { openRequest } from './open-request.ts';
import { pushForward, pushTaskBranch } from './push.ts';
import { remoteAccess, type RemoteAccess } from './remote-access.ts';
import { viewRequest } from './view-request.ts';
import { watchRequests, type Watch } from './watch-requests.ts';

/** Pauses other than the usual ones, for tests. */
export interface RemotePauses {
  git?: NonNullable<GitRemoteOptions['pauses']>;
  api?: NonNullable<GitHubClientOptions['unitMs']>;
  watch?: NonNullable<Watch['pauses']>;
}

type RemoteConfig = NonNullable<Config['repository']['remote']>;

/** A run's remote, as its configuration says, and what reaches it. */
interface Remote {
  config: RemoteConfig;
  access: RemoteAccess;
  git: GitRemote;
}

/** The activities on remotes of one host. Tokens are looked for at each use: a new log-in of `gh` counts at once. */
export function createRemoteActivities(host: ProjectHost, pauses: RemotePauses = {}): RemoteActivities {
  const clients = new ClientCache(host, pauses);
  const pushes = new KeyedMutex();

  const configOf = async (run: RunRef): Promise<RemoteConfig | null> =>
    (await host.manifests.manifest(run)).config.repository.remote ?? null;

  /** Does something with a run's remote, if its configuration asks for one of `wanted`. */
  const withRemote = async <T>(
    run: RunRef,
    wanted: readonly RemoteConfig['push'][],
    work: (remote: Remote, control: StepControl) => Promise<T>,
  ): Promise<T | { outcome: 'off' } | RemoteRefusal> =>
    await attended(async (control) => {
      const config = await configOf(run);
      if (config === null || !wanted.includes(config.push)) return { outcome: 'off' };
      const user = await host.user(run.repository);
      const access = await remoteAccess(user, config.name, host.env).catch(refusalOf);
      if ('outcome' in access) return access;
      const { gitDir } = await host.bare(run.repository);
      const signal = AbortSignal.any([control.ended, control.detached]);
      const slow = pauses.git === undefined ? {} : { pauses: pauses.git };
      return await work(
        { config, access, git: new GitRemote({ access, gitDir, env: host.env, signal, ...slow }) },
        control,
      );
    });

  return {
    pushTask: async ({ run, task, commit }) =>
      await withRemote(run, ['branch', 'pull_request'], async ({ config, git }) => {
        const bare = await host.bare(run.repository);
        const branch = await branchOf(host, run, task);
        const made = bare.listRefs(`refs/signalbox/${run.run}/${task}/`);
        const push = { bare, git, name: config.name, branch, commit };
        return await pushTaskBranch(push, new Set(made.values()));
      }),

    pushIntegration: async ({ run }) =>
      await withRemote(run, ['branch'], async ({ config, git }) => {
        if (!config.integration) return { outcome: 'off' };
        const bare = await host.bare(run.repository);
        const { branch } = run.repository;
        // One after the other: of several tasks that were merged at once, the first brings all of it.
        return await pushes.run(run.repository.id, async () => {
          const commit = bare.tip(branch);
          if (commit === null) throw new SignalboxError('internal', `branch ${branch} has no accepted tip`);
          return await pushForward({ bare, git, name: config.name, branch, commit });
        });
      }),

    openRequest: async ({ member, ready, known = null }) =>
      await withRemote(member.run, ['pull_request'], async ({ config, access }) => {
        const client = clients.of(access);
        if ('outcome' in client) return client;
        const branch = await branchOf(host, member.run, member.task);
        const report = host.redactor.value(await reportOf(host, member, ready));
        const { labels, reviewers, grace: graceMs } = config;
        return await openRequest(client, {
          ...{ branch, base: member.run.repository.branch, report, ready },
          ...{ labels, reviewers, graceMs, known },
        });
      }),

    watchRequests: async ({ requests }) =>
      await attended(async ({ ended, detached }) => {
        const look: Watch['look'] = async (request, signal) => {
          const config = await configOf(request.run);
          if (config === null) throw new SignalboxError('internal', `run ${request.run.run} has no remote`);
          const user = await host.user(request.run.repository);
          const access = await remoteAccess(user, config.name, host.env).catch(refusalOf);
          const client = 'outcome' in access ? access : clients.of(access);
          if ('outcome' in client) return client;
          return await viewRequest(client, { number: request.number, checks: config.checks }, signal);
        };
        const slow = pauses.watch === undefined ? {} : { pauses: pauses.watch };
        return await watchRequests({ requests, look, ended, detached, ...slow });
      }),

    mergeRequest: async ({ member, number, head, base }) => {
      const answer = await withRemote(member.run, ['pull_request'], async ({ access }, { ended, detached }) => {
        const client = clients.of(access);
        if ('outcome' in client) return client;
        const { message, style } = await host.mergeCommits.of(member);
        const { branch } = member.run.repository;
        const wish = { number, head, branch, base, style, message };
        return await mergeRequest(client, wish, AbortSignal.any([ended, detached]));
      });
      if (answer.outcome === 'off')
        throw new SignalboxError('internal', `run ${member.run.run} makes no pull requests`);
      return answer;
    },

    followRemote: async ({ run, contains }) =>
      await withRemote(run, ['branch', 'pull_request'], async ({ config, git }) => {
        const bare = await host.bare(run.repository);
        return await followRemote({ bare, git, name: config.name, branch: run.repository.branch, contains });
      }),
  };
}

/** Clients by what they reach and by whose right: they remember what they were told last. */
class ClientCache {
  readonly #clients = new Map<string, GitHubClient>();
  readonly #host: ProjectHost;
  readonly #pauses: RemotePauses;

  constructor(host: ProjectHost, pauses: RemotePauses) {
    this.#host = host;
    this.#pauses = pauses;
  }

  of(access: RemoteAccess): GitHubClient | RemoteRefusal {
    const key = JSON.stringify([access.remote.url, access.credential?.password ?? null]);
    const known = this.#clients.get(key);
    if (known !== undefined) return known;
    const unit = this.#pauses.api === undefined ? {} : { unitMs: this.#pauses.api };
    const made = GitHubClient.of({ access, env: this.#host.env, ...unit });
    if (!('outcome' in made)) this.#clients.set(key, made);
    return made;
  }
}

async function branchOf(host: ProjectHost, run: RunRef, task: string): Promise<string> {
  return taskBranch((await host.manifests.manifest(run)).config, run.run, task);
}

async function reportOf(host: ProjectHost, member: TrainMember, verified: boolean): Promise<RequestReport> {
  const { run } = member;
  const { manifest, task } = await host.manifests.task(run, member.task);
  const bare = await host.bare(run.repository);
  const stats = await fileStats(bare, member.base, member.commit);
  return {
    ...{ project: run.project, run: run.run, task: member.task, name: member.name, attempt: member.attempt },
    description: task.manifest.description,
    checks: checksOf(manifest, task).integration.map(({ command }) => command),
    verified,
    changes: changeSummary(stats),
    findings: findingsOf(manifest, task, stats),
    loosened: loosenings(manifest),
  };
}
