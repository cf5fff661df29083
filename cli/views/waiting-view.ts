import { WAITS_FOR } from '../../core/person.ts';
import type { WaitDescription } from '../../core/description.ts';
import type { WaitingRequest, WaitingTask } from '../../core/waiting.ts';
import type { WaitingRun } from '../../workers/runs/waiting-runs.ts';
import type { Output } from '../framework/output.ts';
import { statusText } from './status-text.ts';
import { displayLines, displayText } from './text.ts';

type Colors = Output['colors'];

/** What tasks ask a person for, each with the commands that answer it. */
export function waitingText(items: readonly WaitingTask[], colors: Colors): string {
  return items.map((item) => waitingLines(item, colors).join('\n')).join('\n\n');
}

/** Runs in which something waits for a person. */
export function waitingRunsText(project: string, runs: readonly WaitingRun[], colors: Colors): string {
  if (runs.length === 0) return `nothing in project ${project} waits for you`;
  return runs
    .map((run) => {
      const reason =
        run.waiting.length + run.requests.length > 0 || run.reason === null ? [] : [`  ${displayText(run.reason)}`];
      const tasks = run.waiting.map((item) =>
        waitingLines(item, colors)
          .map((line) => `  ${line}`.trimEnd())
          .join('\n'),
      );
      const requests = run.requests.map((request) =>
        requestLines(request, colors)
          .map((line) => `  ${line}`)
          .join('\n'),
      );
      const head = `run ${colors.bold(run.run_id)}  ${statusText(run.status, colors)}`;
      return [head, ...reason, ...tasks, ...requests].join('\n');
    })
    .join('\n\n');
}

/** One task that waits: what for, since when and until when; what it asks, in full; and what to type. */
export function waitingLines(item: WaitingTask, colors: Colors): string[] {
  const name = item.name === item.task_id ? item.task_id : `${item.task_id} ${displayText(item.name, 40)}`;
  return [
    `${colors.bold(name)} waits for ${WAITS_FOR[item.kind]}, ${timesOf(item)}`,
    ...askedLines(item, colors).map((line) => `  ${line}`),
  ];
}

/** A pull request that waits for a person: what for, and where it is. */
function requestLines({ task_id, name, number, url, waits_for }: WaitingRequest, colors: Colors): string[] {
  const task = name === task_id ? task_id : `${task_id} ${displayText(name, 40)}`;
  const where = number === null ? 'has no pull request yet' : `waits at pull request #${number}`;
  return [
    `${colors.bold(task)} ${where}: ${displayText(waits_for)}`,
    ...(url === null ? [] : [`  ${colors.cyan(displayText(url))}`]),
  ];
}

/** What a task asks, in full, and what to type: to see its work, if it is about that, and to answer. */
export function askedLines(item: WaitingTask, colors: Colors): string[] {
  const { kind, run_id, task_id, commands } = item;
  const look = kind === 'merge' || kind === 'review' ? [`signalbox task diff ${task_id} --run ${run_id}`] : [];
  return [...questionLines(item), ...[...look, ...commands].map((command) => colors.cyan(command))];
}

/** What is asked, and for inputs which ones. */
export function questionLines({
  kind,
  question,
  inputs,
}: Pick<WaitDescription, 'kind' | 'question' | 'inputs'>): string[] {
  if (kind !== 'input') return displayLines(question).trim().split('\n');
  return inputs.map(({ name, prompt, secret }) => `${name}: ${displayText(prompt)}${secret ? ' (secret)' : ''}`);
}

function timesOf({ since, deadline }: Pick<WaitDescription, 'since' | 'deadline'>): string {
  return `since ${localTime(since)}${deadline === null ? '' : `, until ${localTime(deadline)}`}`;
}

/** A time (ISO 8601) for people, in their own time zone. */
export function localTime(iso: string): string {
  return new Date(iso).toLocaleString('sv-SE');
}
