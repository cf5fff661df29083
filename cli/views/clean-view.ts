import type { CleanReport } from '../../workers/clean/clean.ts';
import { plural } from './text.ts';

/** What was removed, and what stays, for people. */
export function cleanText(report: CleanReport): string {
  const verb = report.dry_run ? 'would remove' : 'removed';
  const lines = report.runs.flatMap((run) => {
    if (run.skipped !== null) return [`run ${run.run_id}: left alone, ${run.skipped}`];
    const gone = run.removed.length + run.refs_removed.length;
    if (gone + run.kept.length === 0) return [];
    return [
      `run ${run.run_id}: ${verb} ${run.removed.length} directories and remains of steps, ${plural(run.refs_removed.length, 'ref')}`,
      ...(report.dry_run ? [...run.removed, ...run.refs_removed].map((name) => `  ${name}`) : []),
      ...run.kept.map((name) => `  kept ${name}`),
    ];
  });
  if (report.checkouts.length > 0) {
    lines.push(`${verb} ${plural(report.checkouts.length, 'pool')} of checkouts`);
    if (report.dry_run) lines.push(...report.checkouts.map((name) => `  ${name}`));
  }
  return lines.length === 0 ? 'There is nothing to clean up.' : lines.join('\n');
}
