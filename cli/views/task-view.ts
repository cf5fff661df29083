import type { AttemptDetails, TaskDetails } from '../../workers/runs/describe-task.ts';
import type { Output } from '../framework/output.ts';
import { waitingTasks } from '../../core/waiting.ts';
import { short, usageText } from './run-view.ts';
import { statusText } from './status-text.ts';
import { displayText } from './text.ts';
import { localTime, waitingText } from './waiting-view.ts';

/** A task for people: what it came to, and where everything of it is. */
export function taskText(task: TaskDetails, colors: Output['colors']): string {
  const usage = usageText(task.usage);
  const facts: [string, string | null][] = [
    ['reason', task.reason],
    ['attempts', `${task.attempts}, with ${task.turns} turn${task.turns === 1 ? '' : 's'}`],
    ['started', task.started_at === null ? null : localTime(task.started_at)],
    ['ended', task.ended_at === null ? null : localTime(task.ended_at)],
    ['branch', task.branch],
    ['commit', task.commit],
    ['merged as', task.merged_commit],
    ['request', task.pull_request?.url ?? null],
    ['usage', usage === '' ? null : usage],
    ['workflow', task.workflow_id],
    ['web ui', task.web_ui],
    ...task.findings.map((finding): [string, string] => ['finding', finding]),
    ...task.warnings.map((warning): [string, string] => ['warning', warning]),
  ];
  const waiting = waitingTasks({ run_id: task.run_id, tasks: { [task.task_id]: task } });
  const lines = facts.flatMap(([name, value]) =>
    value === null ? [] : [`  ${name.padEnd(10)} ${displayText(value)}`],
  );
  return [
    `task ${colors.bold(task.task_id)} ${displayText(task.name)} of run ${task.run_id}  ${statusText(task.status, colors)}`,
    ...lines,
    ...(waiting.length === 0 ? [] : ['', waitingText(waiting, colors)]),
    ...task.history.flatMap((attempt) => ['', ...attemptLines(attempt, task.git_dir)]),
    ...(task.history.length === 0
      ? []
      : ['', `"signalbox task logs ${task.task_id} --run ${task.run_id}" prints them, "task diff" what they wrote.`]),
  ].join('\n');
}

function attemptLines(attempt: AttemptDetails, gitDir: string): string[] {
  const width = Math.max(10, ...attempt.steps.map(({ step }) => step.length));
  const kept =
    attempt.ref === null || attempt.commit === null
      ? []
      : [`    ${'work'.padEnd(width)} ${attempt.ref} (${short(attempt.commit)}) in ${gitDir}`];
  const how = attempt.outcome === null ? '' : `  ${attempt.outcome.replaceAll('_', ' ')}`;
  const why = attempt.reason === null ? '' : `: ${displayText(attempt.reason, 300)}`;
  return [
    `  attempt ${attempt.attempt}${how}${why}`,
    ...kept,
    ...(attempt.workspace === null ? [] : [`    ${'work tree'.padEnd(width)} ${attempt.workspace}`]),
    ...attempt.steps.map((step) => {
      const ended = step.lost ? 'lost' : `exit ${step.exitStatus ?? 'unknown'}`;
      const how = step.ended ? ended : 'running';
      return `    ${step.step.padEnd(width)} ${how.padEnd(8)} ${step.directory}`;
    }),
  ];
}
