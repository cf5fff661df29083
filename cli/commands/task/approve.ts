import { decidedOutcome, RUN_OPTION, TASK_ARGUMENT } from '../../deciding.ts';
import { defineCommand } from '../../framework/command.ts';
import { chosenRun, withSession } from '../../session.ts';

export const taskApprove = defineCommand({
  name: 'task approve',
  summary: 'Let a task that waits for a person start, be merged, or go on past a limit that it hit',
  arguments: { task: TASK_ARGUMENT },
  options: { run: RUN_OPTION },
  examples: [
    { command: 'signalbox task approve 003', help: 'in the newest run' },
    { command: 'signalbox task approve', help: 'if only one task waits for that' },
  ],
  run: async (context, { arguments: { task }, options }) =>
    await withSession(context, {}, async (session) => {
      const { decideTask, taskToDecide } = await import('../../../workers/runs/decide-task.ts');
      const run = await chosenRun(session, options.run);
      const waiting = await taskToDecide(session, run, task, 'approve');
      await decideTask(session, run, waiting, { outcome: 'approve', text: null, inputs: {} });
      return decidedOutcome(run, waiting, 'approve', 'is approved');
    }),
});
