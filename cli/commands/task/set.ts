import { RUN_OPTION } from '../../deciding.ts';
import { defineCommand } from '../../framework/command.ts';
import { argument, integer } from '../../framework/options.ts';
import { chosenRun, withSession } from '../../session.ts';

export const taskSet = defineCommand({
  name: 'task set',
  summary: "Change a task's priority in an open run",
  description:
    'Of the tasks that could start, the one with the higher priority does. What works already is not interrupted.',
  arguments: { task: argument('task', "the task's id") },
  options: { priority: integer('--priority <n>', 'a whole number; by default tasks have 0'), run: RUN_OPTION },
  examples: [{ command: 'signalbox task set 003 --priority 10', help: 'before all that have less' }],
  run: async (context, { arguments: { task }, options }) =>
    await withSession(context, {}, async (session) => {
      const { setTask } = await import('../../../workers/runs/control-task.ts');
      const run = await chosenRun(session, options.run);
      await setTask(session, run, task, options.priority);
      const message = `${task} of run ${run} has priority ${options.priority}`;
      return { result: { run_id: run, task_id: task, priority: options.priority, message }, text: message };
    }),
});
