import type { RunListItem } from '../../workers/runs/run-list.ts';
import type { Output } from '../framework/output.ts';
import { statusText } from './status-text.ts';
import { table } from './table.ts';
import { span } from './text.ts';

/** Runs as a table. */
export function runListText(project: string, runs: readonly RunListItem[], colors: Output['colors']): string {
  if (runs.length === 0) return `project ${project} has no runs yet; start one with "signalbox run start"`;
  const rows = runs.map((run) => [
    run.run_id,
    statusText(run.status, colors),
    String(run.tasks ?? ''),
    run.integration_branch ?? '',
    new Date(run.started_at).toLocaleString('sv-SE'),
    run.ended_at === null ? '' : span(Date.parse(run.ended_at) - Date.parse(run.started_at)),
  ]);
  const heads = ['RUN', 'STATUS', 'TASKS', 'BRANCH', 'STARTED', 'TOOK'];
  return table(
    heads.map((head) => ({ head, align: head === 'TASKS' ? 'right' : 'left' })),
    rows,
  );
}
