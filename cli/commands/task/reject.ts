import { decidedOutcome, RUN_OPTION, TASK_ARGUMENT } from '../../deciding.ts';
import { defineCommand } from '../../framework/command.ts';
import { text } from '../../framework/options.ts';
import { chosenRun, withSession } from '../../session.ts';

export const taskReject = defineCommand({
  name: 'task reject',
  summary: 'Say no to a task that waits for a person: it ends, and its work is kept in a ref',
  arguments: { task: TASK_ARGUMENT },
  options: { run: RUN_OPTION, reason: text('--reason <text>', 'why; it is shown with the task') },
  examples: [
    { command: 'signalbox task reject 003 --reason "we keep the old API"', help: 'what depends on it is blocked' },
  ],
  run: async (context, { arguments: { task }, options }) =>
    await withSession(context, {}, async (session) => {
      const { decideTask, taskToDecide } = await import('../../../workers/runs/decide-task.ts');
      const run = await chosenRun(session, options.run);
      const waiting = await taskToDecide(session, run, task, 'reject');
      await decideTask(session, run, waiting, { outcome: 'reject', text: options.reason ?? null, inputs: {} });
      return decidedOutcome(run, waiting, 'reject', 'is rejected');
    }),
});
