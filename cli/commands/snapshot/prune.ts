import { parseDuration } from '../../../core/duration.ts';
import { parseSize } from '../../../core/size.ts';
import { defineCommand } from '../../framework/command.ts';
import { flag, text } from '../../framework/options.ts';

export const snapshotPrune = defineCommand({
  name: 'snapshot prune',
  summary: 'Remove dependency snapshots that are too old or too many',
  description:
    'Those that were not used for too long, then the least recently used until the others fit; never one that a workspace ' +
    'or a checkout has. Workers do the same by themselves, with the same bounds. What is removed is made again when it is ' +
    'needed.',
  options: {
    maxSize: text(
      '--max-size <size>',
      'how much may stay, such as 5GiB; by default SIGNALBOX_SNAPSHOTS_SIZE, or 20GiB',
    ),
    maxAge: text('--max-age <duration>', 'since the last use, such as 7d; by default SIGNALBOX_SNAPSHOTS_AGE, or 30d'),
    dryRun: flag('--dry-run', 'say what would be removed, and remove nothing'),
  },
  examples: [
    { command: 'signalbox snapshot prune --dry-run', help: 'what would go' },
    { command: 'signalbox snapshot prune --max-size 0B', help: 'all that nothing has now' },
  ],
  run: async (context, { options }) => {
    const bounds = {
      ...(options.maxSize === undefined ? {} : { bytes: parseSize(options.maxSize) }),
      ...(options.maxAge === undefined ? {} : { ageMs: parseDuration(options.maxAge) }),
    };
    const { prune } = await import('../../../workers/snapshots.ts');
    const { pruneText } = await import('../../views/snapshot-view.ts');
    const report = await prune(context.env, { ...bounds, dryRun: options.dryRun });
    return { result: report, text: pruneText(report) };
  },
});
