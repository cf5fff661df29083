import { defineCommand } from '../../framework/command.ts';
import { text } from '../../framework/options.ts';
import { chosenRun, withSession } from '../../session.ts';

export const taskList = defineCommand({
  name: 'task list',
  summary: 'List the tasks of a run',
  options: { run: text('--run <run>', "the run's id; by default the project's newest") },
  examples: [{ command: 'signalbox task list --run nightly', help: 'the tasks of a named run' }],
  run: async (context, { options }) =>
    await withSession(context, {}, async (session) => {
      const { taskTable } = await import('../../views/run-view.ts');
      const run = await session.reader.read(session.project.id, await chosenRun(session, options.run));
      return {
        result: { run_id: run.run_id, tasks: run.tasks },
        text: taskTable(run, Date.now(), context.output.colors),
      };
    }),
});
