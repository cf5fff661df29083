import { defineCommand } from '../../framework/command.ts';
import { count } from '../../framework/options.ts';
import { withSession } from '../../session.ts';

export const runList = defineCommand({
  name: 'run list',
  summary: "List the project's runs, the newest first",
  options: { limit: count('--limit <n>', 'how many; by default 20') },
  examples: [{ command: 'signalbox run list', help: 'the last 20 runs' }],
  run: async (context, { options }) =>
    await withSession(context, {}, async ({ client, project }) => {
      const { listRuns } = await import('../../../workers/runs/run-list.ts');
      const { runListText } = await import('../../views/run-list-view.ts');
      const runs = (await listRuns(client, project.id)).slice(0, options.limit ?? 20);
      return { result: { runs }, text: runListText(project.id, runs, context.output.colors) };
    }),
});
