import { setTimeout as sleep } from 'node:timers/promises';
import { ENDED_STATUSES } from '../../core/description.ts';
import { SignalboxError } from '../../core/failures.ts';
import { decisionsFile, parseDecision, type EgressDecision } from '../../activities/models/egress-grant.ts';
import type { Session } from '../session.ts';
import { LineReader } from './line-reader.ts';
import { stepLogs, type StepLog } from './step-logs.ts';
import { noSuchTask } from './unknown.ts';

/** Something that a task's steps printed, or that was decided about a connection that they asked for. */
export type LogEvent =
  | { type: 'step'; attempt: number; step: string; kind: StepLog['kind'] }
  | { type: 'line'; attempt: number; step: string; kind: StepLog['kind']; stream: 'stdout' | 'stderr'; line: string }
  | ({ type: 'connection'; attempt: number; step: string; kind: StepLog['kind'] } & EgressDecision)
  | { type: 'end'; attempt: number; step: string; kind: StepLog['kind']; exit_status: number | null };

const INTERVAL_MS = 300;

/** How far a step's files were read. */
interface StepReaders {
  stdout: LineReader;
  stderr: LineReader;
  connections: LineReader;
  done: boolean;
}

interface LogRequest {
  run: string;
  task: string;
  attempt: number | undefined;
  follow: boolean;
}

/**
 * What the steps of an attempt printed, in their order; with `follow`, also what they print until the task ends.
 *
 * @param attempt by default the newest; with `follow` also those that come
 * @throws SignalboxError `not_found` for an unknown run, task or attempt
 */
export async function* taskLog(session: Session, request: LogRequest, signal: AbortSignal): AsyncGenerator<LogEvent> {
  const { run, task, follow } = request;
  const owner = { project: session.project.id, run, task };
  let ended = await hasEnded(session, run, task);
  const known = stepLogs(session.home, owner);
  const newest = known.at(-1)?.attempt ?? 1;
  const attempt = request.attempt ?? newest;
  if (!follow && !known.some((step) => step.attempt === attempt)) {
    throw await noLogs(session, request, known);
  }
  const readers = new Map<string, StepReaders>();
  for (;;) {
    const steps = stepLogs(session.home, owner).filter((step) =>
      request.attempt === undefined && follow ? step.attempt >= attempt : step.attempt === attempt,
    );
    for (const step of steps) yield* progressOf(step, readers, ended || !follow);
    if (ended || !follow || signal.aborted) return;
    await sleep(INTERVAL_MS, undefined, { signal }).catch(() => undefined);
    ended = await hasEnded(session, run, task);
  }
}

function* progressOf(log: StepLog, readers: Map<string, StepReaders>, last: boolean): Generator<LogEvent> {
  const { attempt, step, kind } = log;
  let reader = readers.get(log.directory);
  if (reader === undefined) {
    reader = {
      stdout: new LineReader(log.stdout),
      stderr: new LineReader(log.stderr),
      connections: new LineReader(decisionsFile(log.directory)),
      done: false,
    };
    readers.set(log.directory, reader);
    yield { type: 'step', attempt, step, kind };
  }
  if (reader.done) return;
  for (const stream of ['stdout', 'stderr'] as const) {
    for (const line of reader[stream].read(log.ended || last))
      yield { type: 'line', attempt, step, kind, stream, line };
  }
  for (const line of reader.connections.read(log.ended || last)) {
    const decision = parseDecision(line);
    if (decision !== null) yield { type: 'connection', attempt, step, kind, ...decision };
  }
  reader.done = log.ended;
  if (log.ended) yield { type: 'end', attempt, step, kind, exit_status: log.exitStatus };
}

async function hasEnded(session: Session, run: string, task: string): Promise<boolean> {
  const { tasks, ended_at } = await session.reader.read(session.project.id, run);
  const found = tasks[task];
  if (found === undefined) throw noSuchTask(run, task, Object.keys(tasks));
  return ended_at !== null || ENDED_STATUSES.includes(found.status);
}

async function noLogs(
  session: Session,
  { run, task, attempt }: LogRequest,
  known: readonly StepLog[],
): Promise<SignalboxError> {
  const attempts = [...new Set(known.map((step) => step.attempt))];
  if (attempts.length === 0) {
    const found = (await session.reader.read(session.project.id, run)).tasks[task];
    const reused = found?.status === 'merged' && found.attempts === 0;
    return new SignalboxError('not_found', `task ${task} of run ${run} has no logs on this host`, {
      hint: reused
        ? `It was ${found.reason ?? 'merged by an earlier run'}: name that run with --run.`
        : 'It has not begun, it ran on another host, or "signalbox clean" removed them.',
    });
  }
  return new SignalboxError('not_found', `task ${task} has no logs of attempt ${String(attempt)} on this host`, {
    hint: `There are logs of attempt ${attempts.join(', ')}.`,
  });
}
