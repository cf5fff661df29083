import { defineCommand } from '../../framework/command.ts';
import { argument, text } from '../../framework/options.ts';
import { chosenRun, withSession } from '../../session.ts';

export const taskDescribe = defineCommand({
  name: 'task describe',
  summary: 'Show a task: its status, its attempts with the refs that keep their work, and where its logs are',
  arguments: { task: argument('task', "the task's id") },
  options: { run: text('--run <run>', "the run's id; by default the project's newest") },
  examples: [{ command: 'signalbox task describe 003', help: 'a task of the newest run' }],
  run: async (context, { arguments: { task }, options }) =>
    await withSession(context, {}, async (session) => {
      const { describeTask } = await import('../../../workers/runs/describe-task.ts');
      const { taskText } = await import('../../views/task-view.ts');
      const run = await chosenRun(session, options.run);
      const details = await describeTask(session, run, task);
      return { result: details, text: taskText(details, context.output.colors) };
    }),
});
