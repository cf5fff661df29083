import { defineCommand } from '../framework/command.ts';
import { flag, text } from '../framework/options.ts';
import { withSession } from '../session.ts';

export const clean = defineCommand({
  name: 'clean',
  summary: 'Remove what ended runs left on this host',
  description:
    'Work trees, step records (and with them the task logs), checkouts, processes, containers and volumes that nobody ' +
    'attends to any more, and the refs of merged work. Refs of unmerged work always stay; a work tree that may hold more than its ref is removed only with --force, after that ' +
    'was kept in the ref, too.',
  options: {
    run: text('--run <run>', 'only this run'),
    dryRun: flag('--dry-run', 'say what would be removed, and remove nothing'),
    force: flag('--force', 'also remove work trees with unmerged work, keeping it in refs'),
  },
  examples: [
    { command: 'signalbox clean --dry-run', help: 'what would go' },
    { command: 'signalbox clean --run nightly', help: 'one run' },
  ],
  run: async (context, { options }) =>
    await withSession(context, {}, async (session) => {
      const { clean: cleanUp } = await import('../../workers/clean/clean.ts');
      const { cleanText } = await import('../views/clean-view.ts');
      const report = await cleanUp(session, options);
      return { result: report, text: cleanText(report) };
    }),
});
