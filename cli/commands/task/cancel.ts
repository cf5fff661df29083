import { RUN_OPTION } from '../../deciding.ts';
import { defineCommand } from '../../framework/command.ts';
import { argument } from '../../framework/options.ts';
import { chosenRun, withSession } from '../../session.ts';

export const taskCancel = defineCommand({
  name: 'task cancel',
  summary: 'End one task of a run; what depends on it is blocked, the rest goes on',
  arguments: { task: argument('task', "the task's id") },
  options: { run: RUN_OPTION },
  examples: [{ command: 'signalbox task cancel 003', help: 'its work is kept in a ref' }],
  run: async (context, { arguments: { task }, options }) =>
    await withSession(context, {}, async (session) => {
      const { cancelTask } = await import('../../../workers/runs/control-task.ts');
      const run = await chosenRun(session, options.run);
      await cancelTask(session, run, task);
      const message = `${task} of run ${run} is being cancelled; its work is kept`;
      return { result: { run_id: run, task_id: task, message }, text: message };
    }),
});
