import { personCommands } from './person-commands.ts';
import { ENDED_STATUSES, type RunDescription, type TaskDescription } from './description.ts';

/** Rows shown at most; the Web UI's limit for details is 20,000 bytes. */
const MOST_ROWS = 80;

/**
 * The run as Markdown for the Web UI's current details: how far it is and what it used, and a table of the tasks, the
 * moving ones first. The attempt of a task that is in work is the one that it makes now.
 */
export function runTable(run: RunDescription): string {
  const tasks = Object.entries(run.tasks);
  const head = `**${run.status}**: ${counts(run)}${run.reason === null ? '' : `. ${cell(run.reason, 300)}`}`;
  const { input_tokens: input, output_tokens: output } = run.usage;
  const moved = `\`${run.base_commit.slice(0, 10)}\` → \`${run.head_commit.slice(0, 10)}\``;
  const facts = `\`${run.integration_branch}\` ${moved}, ${input} tokens in, ${output} out`;
  const rows = [...tasks].sort(([, a], [, b]) => weight(a) - weight(b)).slice(0, MOST_ROWS);
  const lines = rows.map(
    ([id, task]) =>
      `| ${id} | ${cell(task.name, 60)} | ${task.status} | ${attempt(task)} | ${shortCommit(task)} | ${reason(run.run_id, id, task)} |`,
  );
  const rest = tasks.length > rows.length ? [`\n… and ${tasks.length - rows.length} more tasks`] : [];
  return [
    head,
    '',
    facts,
    '',
    '| task | name | status | attempt | commit | reason |',
    '|---|---|---|---|---|---|',
    ...lines,
    ...rest,
  ].join('\n');
}

/** "6 of 8 tasks merged, 2 working" */
function counts(run: RunDescription): string {
  const statuses = Object.values(run.tasks).map((task) => task.status);
  const others = [...new Set(statuses)].filter((status) => status !== 'merged').sort();
  const count = (wanted: string): number => statuses.filter((status) => status === wanted).length;
  const rest = others.map((status) => `${count(status)} ${status.replaceAll('_', ' ')}`);
  return [`${count('merged')} of ${statuses.length} tasks merged`, ...rest].join(', ');
}

/** Attempts are counted when they end, or ask a person. Empty for a task that has not begun. */
function attempt(task: TaskDescription): string {
  if (task.started_at === null) return '';
  const told = ENDED_STATUSES.includes(task.status) || task.wait !== null;
  return String(task.attempts + (told ? 0 : 1));
}

/** Why it is so; of a task that waits for a person, what it asks and what to type. */
function reason(run: string, id: string, task: TaskDescription): string {
  if (task.wait === null) return cell(task.reason ?? '', 120);
  return `${cell(task.wait.question, 120)} \`${personCommands(run, id, task.wait)[0] ?? ''}\``;
}

function weight(task: TaskDescription): number {
  if (task.status === 'merged' || task.status === 'skipped') return 2;
  return task.status === 'pending' ? 1 : 0;
}

function shortCommit(task: TaskDescription): string {
  return (task.merged_commit ?? task.commit ?? '').slice(0, 10);
}

/** Text of a table cell: one line, bounded, and without the cell separator. */
function cell(text: string, limit: number): string {
  const line = text.replace(/\s+/g, ' ').replaceAll('|', '\\|');
  return line.length > limit ? `${line.slice(0, limit - 1)}…` : line;
}
