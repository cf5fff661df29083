import { RUN_OPTION } from '../../deciding.ts';
import { defineCommand } from '../../framework/command.ts';
import { argument, text } from '../../framework/options.ts';
import { chosenRun, withSession } from '../../session.ts';

export const taskRetry = defineCommand({
  name: 'task retry',
  summary: 'Give a task new attempts that failed, was cancelled or waits for a person, also after its run has ended',
  arguments: { task: argument('task', "the task's id") },
  options: { run: RUN_OPTION, with: text('--with <guidance>', 'what its agent should know that it did not before') },
  examples: [
    { command: 'signalbox task retry 003', help: 'then "signalbox run watch"' },
    { command: 'signalbox task retry 003 --with "use the parser in src/parse.js"', help: 'with a word to the agent' },
  ],
  run: async (context, { arguments: { task }, options }) =>
    await withSession(context, {}, async (session) => {
      const { retryTask } = await import('../../../workers/runs/control-task.ts');
      const run = await chosenRun(session, options.run);
      await retryTask(session, run, task, options.with ?? null);
      const message = `${task} of run ${run} is tried again; "signalbox run watch ${run}" shows it`;
      return { result: { run_id: run, task_id: task, message }, text: message };
    }),
});
