import { defineCommand } from '../../framework/command.ts';
import { count, flag } from '../../framework/options.ts';
import { withSession } from '../../session.ts';

export const runList = defineCommand({
  name: 'run list',
  summary: "List the project's runs, the newest first",
  options: {
    limit: count('--limit <n>', 'how many; by default 20'),
    waiting: flag('--waiting', 'only open runs in which something waits for a person, with what it asks'),
  },
  examples: [
    { command: 'signalbox run list', help: 'the last 20 runs' },
    { command: 'signalbox run list --waiting', help: 'what needs you' },
  ],
  run: async (context, { options }) =>
    await withSession(context, {}, async (session) => {
      const { client, project } = session;
      const { colors } = context.output;
      const limit = options.limit ?? 20;
      if (options.waiting) {
        const { waitingRuns } = await import('../../../workers/runs/waiting-runs.ts');
        const { waitingRunsText } = await import('../../views/waiting-view.ts');
        const runs = (await waitingRuns(session)).slice(0, limit);
        return { result: { runs }, text: waitingRunsText(project.id, runs, colors) };
      }
      const { listRuns } = await import('../../../workers/runs/run-list.ts');
      const { runListText } = await import('../../views/run-list-view.ts');
      const runs = (await listRuns(client, project.id)).slice(0, limit);
      return { result: { runs }, text: runListText(project.id, runs, colors) };
    }),
});
