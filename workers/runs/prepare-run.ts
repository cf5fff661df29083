import path from 'node:path';
import { homeOf } from '../../activities/home.ts';
import { loadProject, type Project } from '../../activities/catalogue/project.ts';
import { loadTasks } from '../../activities/catalogue/task-files.ts';
import {
  branchTip,
  inspectUserRepository,
  requireSupported,
  type UserRepository,
} from '../../activities/git/user-repository.ts';
import { declaresScope } from '../../core/catalogue.ts';
import { SignalboxError } from '../../core/failures.ts';
import { parseIdentifier } from '../../core/ids.ts';
import type { RunManifest } from '../../core/run-manifest.ts';
import { ignoredConfigKeys, ignoredTaskKeys, integrationChecks } from '../../core/run-settings.ts';
import type { TaskView } from '../../core/run-state.ts';
import type { Task } from '../../core/task-file.ts';
import { chooseBackend } from '../backend.ts';
import { newRunId } from './run-id.ts';
import { taskViews } from '../../core/task-views.ts';

/** What a person asked for with `run start`. */
export interface RunRequest {
  directory: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Only these tasks. */
  tasks: readonly string[] | undefined;
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
  const tasks = loadTasks(project.root, config, request.tasks === undefined ? {} : { only: request.tasks });
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
  requireHomeOutside(user, homeOf(request.env).root);
  const baseCommit = branchTip(user, config.repository.integration_branch);
  const backend = await chooseBackend({ asked: request.backend, configured: config.sandbox.backend, env: request.env });
  return {
    runId,
    project,
    user,
    baseCommit,
    maxParallel: request.maxParallel ?? config.run.max_parallel,
    manifest: { version: 1, config, backend: backend.backend, tasks },
    order: startingOrder(taskViews({ tasks, config })),
    notices: [backend.notice, ...noticesOf(project, tasks, checks.verified)].filter((notice) => notice !== null),
    unverified: !checks.verified,
  };
}

function noticesOf(project: Project, tasks: readonly Task[], verified: boolean): string[] {
  const scopeless = tasks.filter((task) => !declaresScope(task)).map((task) => task.manifest.id);
  const keys = ignoredConfigKeys(project.config);
  const taskKeys = new Set(tasks.flatMap((task) => ignoredTaskKeys(task.manifest)));
  const several = scopeless.length > 1;
  return [
    ...(verified ? [] : ['no integration check is configured, so results are unverified']),
    ...(scopeless.length === 0
      ? []
      : [
          `${some(scopeless)} ${several ? 'declare' : 'declares'} no scope (files or locks), so ` +
            `${several ? 'each of them' : 'it'} locks everything and runs alone`,
        ]),
    ...(keys.length === 0 ? [] : [`these keys of the configuration have no effect yet: ${keys.join(', ')}`]),
    ...(taskKeys.size === 0 ? [] : [`these keys of task files have no effect yet: ${[...taskKeys].join(', ')}`]),
  ];
}

function some(ids: readonly string[]): string {
  const shown = ids.slice(0, 8).join(', ');
  const rest = ids.length > 8 ? ` and ${ids.length - 8} more` : '';
  return `${ids.length === 1 ? 'task' : 'tasks'} ${shown}${rest}`;
}

/**
 * The order in which tasks could start if each took equally long and nothing clashed: dependencies first, then higher
 * priority, then the catalogue's order.
 */
export function startingOrder(tasks: readonly TaskView[]): TaskView[] {
  const order: TaskView[] = [];
  const done = new Set<string>();
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

function requireHomeOutside(user: UserRepository, home: string): void {
  for (const directory of [user.topLevel, user.commonDir]) {
    if (directory === null) continue;
    const relative = path.relative(directory, home);
    if (relative !== '' && (relative.startsWith('..') || path.isAbsolute(relative))) continue;
    throw new SignalboxError('environment', `Signalbox's home ${home} lies inside the repository ${directory}`, {
      hint: 'Set SIGNALBOX_HOME to a directory elsewhere.',
    });
  }
}
