import { SignalboxError } from './failures.ts';

const IDENTIFIER = /^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$/;
const TASK_IDENTIFIER = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;
const LONGEST = 63;

/** What an identifier names. Project ids are lower case; run and task ids may use upper case, but are unique ignoring it. */
export type IdentifierKind = 'project' | 'run' | 'task' | 'task name' | 'resource' | 'lane';

/** Says why `text` is no identifier, or `null` if it is one. */
export function identifierProblem(kind: IdentifierKind, text: string): string | null {
  const quoted = JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}…` : text);
  const shown = `${kind === 'task name' ? kind : `${kind} id`} ${quoted}`;
  if (text.length > LONGEST) return `${shown} has ${text.length} characters; at most ${LONGEST} are allowed`;
  const pattern = kind === 'project' ? IDENTIFIER : TASK_IDENTIFIER;
  if (!pattern.test(text)) {
    const letters = kind === 'project' ? 'lower-case letters' : 'letters';
    return `${shown} may hold only ${letters}, digits, ".", "_" and "-", and must start and end with a letter or digit`;
  }
  if (text.includes('..')) return `${shown} must not contain ".."`;
  if (text.toLowerCase().endsWith('.lock')) return `${shown} must not end in ".lock"`;
  return null;
}

/** Returns `text` if it is an identifier. @throws SignalboxError `usage` that says what is wrong with it */
export function parseIdentifier(kind: IdentifierKind, text: string): string {
  const problem = identifierProblem(kind, text);
  if (problem !== null) throw new SignalboxError('usage', problem);
  return text;
}

/** The workflow id of a run. */
export function runWorkflowId(project: string, run: string): string {
  return `signalbox/${project}/run/${run}`;
}

/** A run for people, by its workflow id; with its project where that is not the one of `seenFrom`, another run. */
export function runWords(workflowId: string, seenFrom: string): string {
  const [project, run] = partsOfRun(workflowId);
  return project === partsOfRun(seenFrom)[0] ? `run ${run}` : `run ${run} of project ${project}`;
}

function partsOfRun(workflowId: string): [project: string, run: string] {
  const [, project = '', , run = workflowId] = workflowId.split('/');
  return [project, run];
}

/** The workflow id of a task in a run. */
export function taskWorkflowId(project: string, run: string, task: string): string {
  return `${runWorkflowId(project, run)}/task/${task}`;
}

/** The workflow id of the lock table of one repository. `repository` is its identity (a hash), not its path. */
export function repositoryWorkflowId(repository: string): string {
  return `signalbox/repository/${repository}`;
}

/** The workflow id of the train into one branch of one repository. */
export function trainWorkflowId(repository: string, branch: string): string {
  return `signalbox/train/${repository}/${branch}`;
}

/**
 * The task queue that every worker of a Temporal server polls: for work that any host may do. It carries the id that the
 * server once gave its namespace, so that a worker which finds another server at its address gets nothing there.
 */
export function sharedQueue(namespaceId: string): string {
  return `signalbox-${namespaceId}`;
}

/** The task queue of one host, for work on what lies on its disk. @param shared the server's {@link sharedQueue} */
export function hostQueue(shared: string, host: string): string {
  return `${shared}-host-${host}`;
}

/** The task queue of one host for its agents' turns: bounded by itself, so that who waits for a place delays nothing else. */
export function agentsQueue(shared: string, host: string): string {
  return `${shared}-agents-${host}`;
}

/** The ref in the bare repository that keeps what an attempt wrote. */
export function attemptRef(run: string, task: string, attempt: number): string {
  return `refs/signalbox/${run}/${task}/${attempt}`;
}

/** What a step belongs to. */
export interface StepOwner {
  project: string;
  run: string;
  task: string;
  attempt: number;
}

/**
 * The name of a step (an agent turn or a check): a directory, a container and an environment value carry it. The parts
 * are joined by `..`, which no identifier holds, so two owners never share a name.
 *
 * @param step what is done, such as `turn-1` or `doctor`; letters, digits and `-`
 */
export function stepName(owner: StepOwner, step: string): string {
  return [owner.project, owner.run, owner.task, String(owner.attempt), step].join('..');
}

/**
 * The owner of the steps that install dependencies: no run's, since whoever comes next may need them, too. No run can have
 * this name, which ends in `-`.
 *
 * @param snapshot the key of the dependency snapshot, and the id of its repository
 */
export function bootstrapOwner(project: string, snapshot: { repository: string; key: string }): StepOwner {
  const task = `${snapshot.repository}-${snapshot.key.slice(0, 16)}`;
  return { project, run: 'bootstrap-', task, attempt: 1 };
}

/** Whose step has a name, or `null` for a text that is no step's name. */
export function stepOwner(name: string): StepOwner | null {
  const [project = '', run = '', task = '', attempt = '', step = '', ...more] = name.split('..');
  const whole = [project, run, task, step].every((part) => part !== '') && more.length === 0;
  return whole && /^\d{1,9}$/.test(attempt) ? { project, run, task, attempt: Number(attempt) } : null;
}
