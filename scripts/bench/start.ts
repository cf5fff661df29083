import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Client } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { stepName } from '../../core/ids.ts';
import type { LocksAnswer } from '../../core/locks.ts';
import { readHistory } from '../../workers/runs/decoded-history.ts';
import { locksSignal } from '../../workflows/messages.ts';
import type { BenchWorld } from './world.ts';

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

/** The parts of a task's start, in seconds from the one before. */
export interface StartSpans {
  /** From the grant of its locks until its workflow begins. */
  workflow: number;
  /** Until `prepare` is under way. */
  placed: number;
  /** Until its workspace is made. */
  prepared: number;
  /** Until the turn is under way. */
  turn: number;
  /** Until the agent runs. */
  agent: number;
  /** All of it. */
  whole: number;
}

/** The parts in their order. */
export const START_PARTS = ['workflow', 'placed', 'prepared', 'turn', 'agent'] as const;

/** Reads when the tasks of a run that is over were granted their locks, and what came then until their agents ran. */
export async function readStarts(world: BenchWorld, client: Client, run: string): Promise<StartSpans[]> {
  const granted = grants(await readHistory(client, run));
  const spans: StartSpans[] = [];
  for (const [task, at] of granted) {
    const events = await readHistory(client, `${run}/task/${task}`);
    const began = timeOf(events[0]);
    const [prepare, turn] = ['prepare', 'turn'].map((name) => activity(events, name));
    const agent = agentStarted(world, run, task);
    if (prepare === undefined || turn === undefined) continue;
    spans.push({
      workflow: began - at,
      placed: prepare.started - began,
      prepared: prepare.ended - prepare.started,
      turn: turn.started - prepare.ended,
      agent: agent - turn.started,
      whole: agent - at,
    });
  }
  return spans;
}

/** When each task's locks came, by the newest answer that grants them. */
function grants(events: readonly HistoryEvent[]): Map<string, number> {
  const times = new Map<string, number>();
  for (const event of events) {
    const signal = event.workflowExecutionSignaledEventAttributes;
    if (signal?.signalName !== locksSignal.name) continue;
    const [payload] = signal.input?.payloads ?? [];
    if (payload == null) continue;
    const { granted } = defaultPayloadConverter.fromPayload<LocksAnswer>(payload);
    for (const task of granted) if (!times.has(task)) times.set(task, timeOf(event));
  }
  return times;
}

function activity(events: readonly HistoryEvent[], name: string): { started: number; ended: number } | undefined {
  const id = events.find((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === name)?.eventId;
  const isOf = (attributes: { scheduledEventId?: unknown } | null | undefined): boolean =>
    id != null && String(attributes?.scheduledEventId) === String(id);
  const started = events.find((event) => isOf(event.activityTaskStartedEventAttributes));
  const ended = events.find((event) => isOf(event.activityTaskCompletedEventAttributes));
  if (started === undefined || ended === undefined) return undefined;
  return { started: timeOf(started), ended: timeOf(ended) };
}

function agentStarted({ home }: BenchWorld, run: string, task: string): number {
  const [, project = '', , name = ''] = run.split('/');
  const step = stepName({ project, run: name, task, attempt: 1 }, 'turn-1');
  return Number(readFileSync(path.join(home.steps, step, 'stdout'), 'utf8').split('\n')[0]);
}

function timeOf(event: HistoryEvent | undefined): number {
  const { seconds, nanos } = event?.eventTime ?? {};
  return Number(seconds ?? 0) + (nanos ?? 0) / 1e9;
}

/** The middle of some numbers. */
export function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}
