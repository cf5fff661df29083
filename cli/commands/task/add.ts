import { RUN_OPTION } from '../../deciding.ts';
import { defineCommand } from '../../framework/command.ts';
import { someArguments } from '../../framework/options.ts';
import { plural } from '../../views/text.ts';
import { chosenRun, withSession } from '../../session.ts';

export const taskAdd = defineCommand({
  name: 'task add',
  summary: 'Add task files to an open run',
  description:
    "The files may lie anywhere. They are checked with the run's own tasks, on which they may depend; the configuration is the " +
    'one that the run was started with.',
  arguments: { files: someArguments('file', 'a task file') },
  options: { run: RUN_OPTION },
  examples: [{ command: 'signalbox task add .signalbox/tasks/009-docs.md', help: 'to the newest run' }],
  run: async (context, { arguments: { files }, options }) =>
    await withSession(context, {}, async (session) => {
      const { addTasks } = await import('../../../workers/runs/add-tasks.ts');
      const run = await chosenRun(session, options.run);
      const { tasks, notices } = await addTasks(session, run, files, context.directory);
      for (const notice of notices) context.output.progress(notice);
      const ids = tasks.map(({ manifest }) => manifest.id);
      const message = `${plural(tasks.length, 'task')} added to run ${run}: ${ids.join(', ')}`;
      return { result: { run_id: run, task_ids: ids, message }, text: message };
    }),
});
