import type { RunDescription, TaskDescription } from './description.ts';

/** Rows shown at most; the Web UI's limit for details is 20,000 bytes. */
const MOST_ROWS = 80;

/** The run as Markdown for the Web UI's current details: a sentence, and a table of the tasks, the moving ones first. */
export function runTable(run: RunDescription): string {
  const tasks = Object.entries(run.tasks);
  const merged = tasks.filter(([, task]) => task.status === 'merged').length;
  const head = `**${run.status}**: ${merged} of ${tasks.length} tasks merged${run.reason === null ? '' : `. ${cell(run.reason, 300)}`}`;
  const rows = [...tasks].sort(([, a], [, b]) => weight(a) - weight(b)).slice(0, MOST_ROWS);
  const lines = rows.map(
    ([id, task]) =>
      `| ${id} | ${cell(task.name, 60)} | ${task.status} | ${task.attempts} | ${shortCommit(task)} | ${cell(task.reason ?? '', 120)} |`,
  );
  const rest = tasks.length > rows.length ? [`\n… and ${tasks.length - rows.length} more tasks`] : [];
  return [
    head,
    '',
    '| task | name | status | attempts | commit | reason |',
    '|---|---|---|---|---|---|',
    ...lines,
    ...rest,
  ].join('\n');
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
