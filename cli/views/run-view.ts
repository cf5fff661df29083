import type { RunDescription, TaskDescription } from '../../core/description.ts';
import type { Usage } from '../../core/usage.ts';
import type { Output } from '../framework/output.ts';
import { waitingTasks } from '../../core/waiting.ts';
import { statusText } from './status-text.ts';
import { table, type Column } from './table.ts';
import { displayText, plural, span } from './text.ts';
import { waitingText } from './waiting-view.ts';

type Colors = Output['colors'];

/** Columns of a terminal in which the table of tasks has room for reasons. */
const ROOM_FOR_REASONS = 120;

/** A run for people: what it is, a table of its tasks, totals and where to look. */
export function runText(
  run: RunDescription,
  view: { colors: Colors; columns: number | null; webUi: string | null; now: number },
): string {
  const { colors, columns, webUi, now } = view;
  const tasks = Object.values(run.tasks);
  const merged = tasks.filter((task) => task.status === 'merged').length;
  const end = run.ended_at === null ? now : Date.parse(run.ended_at);
  const moved =
    run.head_commit === run.base_commit
      ? `${run.integration_branch} at ${short(run.base_commit)}`
      : `${run.integration_branch} ${short(run.base_commit)} → ${short(run.head_commit)}`;
  const totals = [
    `${merged} of ${plural(tasks.length, 'task')} merged`,
    moved,
    span(end - Date.parse(run.started_at)),
    usageText(run.usage),
    ...(run.image === null ? [] : [`image ${run.image.reference} (${run.image.id.slice(7, 19)})`]),
  ];
  const waiting = waitingTasks(run);
  const notes = Object.entries(run.tasks).flatMap(([id, task]) => [
    ...task.findings.map((finding) => `${colors.yellow('finding:')} ${id} ${displayText(finding)}`),
    ...task.warnings.map((warning) => `${colors.yellow('warning:')} ${id}: ${displayText(warning)}`),
  ]);
  return [
    `run ${colors.bold(run.run_id)}  ${statusText(run.status, colors)}`,
    ...(run.reason === null ? [] : [displayText(run.reason)]),
    '',
    ...(tasks.length === 0 ? [] : [taskTable(run, { now, colors, columns }), '']),
    ...(waiting.length === 0 ? [] : [waitingText(waiting, colors), '']),
    ...(notes.length === 0 ? [] : [...notes, '']),
    totals.filter((part) => part !== '').join(' · '),
    ...(webUi === null ? [] : [`Web UI: ${webUi}`]),
    ...sandboxLines(run.sandbox),
    ...nextSteps(run),
  ].join('\n');
}

/** What the sandbox of a run lets through that the default one does not; nothing for the default one. */
function sandboxLines(sandbox: RunDescription['sandbox']): string[] {
  // A run that was started before it was told has none.
  const { backend = 'docker', loosened = [] } = sandbox ?? {};
  if (loosened.length === 0) return [];
  return [`Sandbox: ${backend}, looser than the default:`, ...loosened.map((line) => `  ${displayText(line)}`)];
}

/** What to type after a run that failed. */
function nextSteps({ run_id, status, tasks }: RunDescription): string[] {
  const [failed] = Object.entries(tasks).find(([, task]) => task.status === 'failed') ?? [];
  if (status !== 'failed' || failed === undefined) return [];
  return [
    '',
    `"signalbox task logs ${failed} --run ${run_id}" shows what went wrong with ${failed}.`,
    `"signalbox task retry ${failed} --run ${run_id}" gives it new attempts, "signalbox run resume ${run_id}" all that did not succeed.`,
  ];
}

/** The tasks of a run as a table; in a narrow terminal, the reasons are below it. */
export function taskTable(run: RunDescription, view: { now: number; colors: Colors; columns: number | null }): string {
  const { now, colors, columns } = view;
  const narrow = columns !== null && columns < ROOM_FOR_REASONS;
  const tasks = Object.entries(run.tasks);
  const rows = tasks.map(([id, task]) => [
    id,
    displayText(task.name, 40),
    statusText(task.status, colors),
    String(task.attempts),
    String(task.turns),
    short(task.merged_commit ?? task.commit ?? ''),
    timeOf(task, now),
    narrow ? '' : displayText(task.reason ?? '', 110),
  ]);
  const heads: Column[] = [
    { head: 'TASK' },
    { head: 'NAME', cut: 12 },
    { head: 'STATUS' },
    { head: 'ATTEMPTS', align: 'right' },
    { head: 'TURNS', align: 'right' },
    { head: 'COMMIT' },
    { head: 'TIME', align: 'right' },
    { head: 'REASON', cut: 30 },
  ];
  // What waits for a person says it elsewhere, in full.
  const reasons = tasks.flatMap(([id, { reason, wait }]) =>
    narrow && reason !== null && wait === null ? [`${id}: ${displayText(reason)}`] : [],
  );
  return [table(heads, rows, columns), ...(reasons.length === 0 ? [] : ['', ...reasons])].join('\n');
}

/** One line for one change of a task. */
export function taskLine(id: string, task: TaskDescription, colors: Colors): string {
  const attempt = task.attempts > 1 ? ` (attempt ${task.attempts})` : '';
  const commit = task.merged_commit === null ? '' : ` as ${short(task.merged_commit)}`;
  const reason = task.reason === null ? '' : `: ${displayText(task.reason, 160)}`;
  const name = task.name === id ? id : `${id} ${displayText(task.name, 40)}`;
  return `${name}  ${statusText(task.status, colors)}${commit}${attempt}${reason}`;
}

/** Tokens and money; empty when nothing was spent. */
export function usageText(usage: Usage): string {
  const { input_tokens, cached_input_tokens, output_tokens, cost_usd } = usage;
  if (input_tokens + output_tokens === 0) return '';
  const cached = cached_input_tokens > 0 ? ` (${number(cached_input_tokens)} cached)` : '';
  const money = cost_usd > 0 ? `, $${cost_usd.toFixed(2)}` : '';
  return `${number(input_tokens)} tokens in${cached}, ${number(output_tokens)} out${money}`;
}

/** The abbreviation of an object id. */
export function short(commit: string): string {
  return commit.slice(0, 10);
}

function timeOf(task: TaskDescription, now: number): string {
  if (task.started_at === null) return '';
  return span((task.ended_at === null ? now : Date.parse(task.ended_at)) - Date.parse(task.started_at));
}

function number(count: number): string {
  return count.toLocaleString('en-US');
}
