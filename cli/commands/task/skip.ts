import { RUN_OPTION } from '../../deciding.ts';
import { defineCommand } from '../../framework/command.ts';
import { argument, flag } from '../../framework/options.ts';
import { chosenRun, withSession } from '../../session.ts';

export const taskSkip = defineCommand({
  name: 'task skip',
  summary: 'Leave a task of a run out that does not work yet, or has ended without success',
  description: 'What depends on it is blocked, unless --satisfied says that its work is not needed, or there already.',
  arguments: { task: argument('task', "the task's id") },
  options: { run: RUN_OPTION, satisfied: flag('--satisfied', 'what depends on it starts as if it were merged') },
  examples: [{ command: 'signalbox task skip 003 --satisfied', help: 'somebody did it by hand' }],
  run: async (context, { arguments: { task }, options }) =>
    await withSession(context, {}, async (session) => {
      const { skipTask } = await import('../../../workers/runs/control-task.ts');
      const run = await chosenRun(session, options.run);
      await skipTask(session, run, task, options.satisfied);
      const next = options.satisfied ? 'what depends on it goes on' : 'what depends on it is blocked';
      const message = `${task} of run ${run} is skipped; ${next}`;
      return { result: { run_id: run, task_id: task, satisfied: options.satisfied, message }, text: message };
    }),
});
