import { homeOf, type Home } from '../../activities/home.ts';
import { loadProject, type Project } from '../../activities/catalogue/project.ts';
import { loadTasks } from '../../activities/catalogue/task-files.ts';
import { loadPrompts } from '../../activities/prompts/templates.ts';
import { inspectUserRepository } from '../../activities/git/inspect-user-repository.ts';
import { isBelow } from '../../activities/is-below.ts';
import { trySigner } from '../../activities/git/signed-commit.ts';
import { treeFacts } from '../../activities/git/tree-facts.ts';
import { branchTip, requireSupported, type UserRepository } from '../../activities/git/user-repository.ts';
import { commitPolicy } from '../../activities/merge/merge-commits.ts';
import { mergeSettings, type Config } from '../../core/config.ts';
import { SignalboxError } from '../../core/failures.ts';
import { parseIdentifier } from '../../core/ids.ts';
import type { RunManifest } from '../../core/run-manifest.ts';
import { integrationChecks } from '../../core/run-settings.ts';
import type { TaskView } from '../../core/run-state.ts';
import { selectTasks } from '../../core/selection.ts';
import { environmentRedactor } from '../../activities/redaction/environment-secrets.ts';
import { projectSecrets } from '../../activities/redaction/project-secrets.ts';
import { chooseBackend } from '../backend.ts';
import { localProtection, wantsGateway } from '../local-protection.ts';
import { cleanManifest } from './clean-manifest.ts';
import { finishedTasks } from './finished-tasks.ts';
import { remoteNotices } from './remote-notices.ts';
import { newRunId } from './run-id.ts';
import { protectionNotices, repositoryNotices, reuseNotices, sandboxNotices, workNotices } from './run-notices.ts';
import { taskViews } from '../../core/task-views.ts';

/** What a person asked for with `run start`. */
export interface RunRequest {
  directory: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Only these tasks. */
  tasks: readonly string[] | undefined;
  /** Leave out what earlier runs have merged. */
  reuse: boolean;
  runId: string | undefined;
  maxParallel: number | undefined;
  backend: 'docker' | 'local' | undefined;
}

/** A run that could start: everything that can be wrong with it was looked at, and nothing was changed. */
export interface PreparedRun {
  runId: string;
  project: Project;
  user: UserRepository;
  baseCommit: string;
  maxParallel: number;
  manifest: RunManifest;
  /** The tasks in the order in which they could start. */
  order: TaskView[];
  /** What a person should know before it starts, one sentence each. */
  notices: string[];
  /** What its steps are not kept from, where they run on this host; one sentence each. */
  unprotected: string[];
  /** Nothing will be checked on merged trees. */
  unverified: boolean;
}

/**
 * Looks at everything that a run needs.
 *
 * @throws SignalboxError `usage`, `config` or `task_files` for what a person wrote, `environment` for the repository and
 *   the engine
 */
export async function prepareRun(request: RunRequest): Promise<PreparedRun> {
  const runId = request.runId === undefined ? newRunId(new Date()) : parseIdentifier('run', request.runId);
  const project = loadProject(request.directory, { env: request.env });
  const { config } = project;
  const catalogue = loadTasks(project.root, config);
  const prompts = loadPrompts(project.root);
  const checks = integrationChecks(config);
  if (checks === null) {
    throw new SignalboxError(
      'config',
      'nothing is configured to prove merged work: neither checks.integration nor checks.doctor',
      {
        hint: 'Set checks.doctor to your test command; or `integration: []` if results are to be reported as unverified.',
      },
    );
  }
  const user = await inspectUserRepository(project.repository);
  requireSupported(user);
  await requireSigning(config, user, request.env);
  const home = homeOf(request.env);
  requireHomeOutside(user, home.root);
  const baseCommit = branchTip(user, config.repository.integration_branch);
  const { finished, unlanded } = await finishedTasks({ home, project, user, tip: baseCommit, tasks: catalogue });
  const { tasks, reused } = selectTasks(catalogue, { only: request.tasks, finished, reuse: request.reuse });
  const work = tasks.some(({ manifest: { id } }) => reused[id] === undefined);
  const remote = work ? await remoteNotices({ user, config, tip: baseCommit, env: request.env }) : [];
  const backend = await chooseBackend({ asked: request.backend, sandbox: config.sandbox, env: request.env });
  const { repository } = config;
  const written: RunManifest = {
    version: 1,
    config: { ...config, repository: { ...repository, ignore_case: repository.ignore_case ?? user.ignoreCase } },
    backend: backend.backend,
    tasks,
    prompts,
    reused,
    catalogue: Object.fromEntries(catalogue.map(({ manifest: { id }, digest }) => [id, digest])),
  };
  const redactor = environmentRedactor(request.env);
  redactor.learn(projectSecrets(config, request.env));
  const manifest = cleanManifest(written, redactor);
  const unprotected = work ? await unprotectedBy(manifest, home, request.env) : [];
  return {
    runId,
    project,
    user,
    baseCommit,
    maxParallel: request.maxParallel ?? config.run.max_parallel,
    manifest,
    order: startingOrder(taskViews(manifest)),
    notices: [
      ...(backend.notice === null ? [] : [backend.notice]),
      ...protectionNotices(unprotected),
      ...(work ? sandboxNotices(manifest) : []),
      ...workNotices(manifest, checks.verified),
      ...repositoryNotices(await treeFacts(user, baseCommit)),
      ...remote,
      ...reuseNotices(manifest, unlanded),
    ],
    unprotected,
    unverified: !checks.verified,
  };
}

/**
 * The order in which tasks could start if each took equally long and nothing clashed: those that are done, then
 * dependencies first, then higher priority, then the catalogue's order.
 */
export function startingOrder(tasks: readonly TaskView[]): TaskView[] {
  const order = tasks.filter((task) => task.done !== null);
  const done = new Set(order.map(({ id }) => id));
  while (order.length < tasks.length) {
    const ready = tasks.filter((task) => !done.has(task.id) && task.depends_on.every((id) => done.has(id)));
    // The catalogue refuses circles, so something is ready.
    if (ready.length === 0) throw new SignalboxError('internal', 'the tasks depend on each other in a circle');
    ready.sort((a, b) => b.priority - a.priority);
    order.push(...ready);
    for (const task of ready) done.add(task.id);
  }
  return order;
}

async function unprotectedBy(manifest: RunManifest, home: Home, env: RunRequest['env']): Promise<string[]> {
  if (manifest.backend !== 'local') return [];
  const { config } = manifest;
  return (await localProtection({ home, env, config, gateway: wantsGateway(manifest) })).lacks;
}

/** Looks whether merged work could be signed as it is to be: before anybody has worked. */
async function requireSigning(config: Config, user: UserRepository, env: RunRequest['env']): Promise<void> {
  const { signer } = await commitPolicy(mergeSettings(config), user, env);
  if (signer != null) await trySigner(signer);
}

function requireHomeOutside(user: UserRepository, home: string): void {
  for (const directory of [user.topLevel, user.commonDir]) {
    if (directory === null) continue;
    if (!isBelow(directory, home)) continue;
    throw new SignalboxError('environment', `Signalbox's home ${home} lies inside the repository ${directory}`, {
      hint: 'Set SIGNALBOX_HOME to a directory elsewhere.',
    });
  }
}
