import { humanSize } from '../../core/size.ts';
import type { PruneReport, SnapshotView } from '../../workers/snapshots.ts';
import { table } from './table.ts';
import { plural } from './text.ts';
import { localTime } from './waiting-view.ts';

/** How much of a key is shown. */
const SHORT = 12;

/** The dependency snapshots of a host, for people. */
export function snapshotListText(snapshots: readonly SnapshotView[]): string {
  if (snapshots.length === 0) return 'there are no dependency snapshots';
  const bytes = snapshots.reduce((sum, snapshot) => sum + snapshot.bytes, 0);
  return [rows(snapshots), `${plural(snapshots.length, 'snapshot')}, ${humanSize(bytes)}`].join('\n\n');
}

/** What was removed, and what is left, for people. */
export function pruneText({ removed, abandoned, bytes, dry_run: dryRun }: PruneReport): string {
  const verb = dryRun ? 'would remove' : 'removed';
  const freed = removed.reduce((sum, snapshot) => sum + snapshot.bytes, 0);
  return [
    ...(removed.length === 0 ? [] : [`${rows(removed)}\n`]),
    ...(abandoned.length === 0 ? [] : [`${verb} ${plural(abandoned.length, 'snapshot')} that nobody finished`]),
    `${verb} ${plural(removed.length, 'snapshot')}, ${humanSize(freed)}; ${humanSize(bytes)} ${dryRun ? 'would be' : 'are'} left`,
  ].join('\n');
}

function rows(snapshots: readonly SnapshotView[]): string {
  return table(
    [
      { head: 'SNAPSHOT' },
      { head: 'PROJECT' },
      { head: 'SIZE', align: 'right' },
      { head: 'MADE' },
      { head: 'LAST USED' },
      { head: 'USE' },
      { head: 'OUTPUTS', cut: 12 },
    ],
    snapshots.map((snapshot) => [
      snapshot.key.slice(0, SHORT),
      snapshot.project,
      humanSize(snapshot.bytes),
      localTime(snapshot.built_at),
      localTime(snapshot.last_used_at),
      snapshot.in_use ? 'now' : '',
      snapshot.outputs.join(' '),
    ]),
  );
}
