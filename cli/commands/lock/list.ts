import { defineCommand } from '../../framework/command.ts';
import { withSession } from '../../session.ts';

export const lockList = defineCommand({
  name: 'lock list',
  summary: "Show who holds the repository's paths and who waits for them, over all runs",
  description:
    'Of each task that waits: since when, for whom, and the globs that clash. Of runs that were lost: what was taken back, and why.',
  examples: [{ command: 'signalbox lock list', help: 'why does nothing move?' }],
  run: async (context) =>
    await withSession(context, {}, async (session) => {
      const { readLocks } = await import('../../../workers/runs/read-locks.ts');
      const { lockText } = await import('../../views/lock-view.ts');
      const report = await readLocks(session);
      return { result: report, text: lockText(report) };
    }),
});
