import { defineCommand } from '../../framework/command.ts';
import { argument, text } from '../../framework/options.ts';
import { chosenRun, withSession } from '../../session.ts';

export const taskRetry = defineCommand({
  name: 'task retry',
  summary: 'Give a failed or cancelled task new attempts, also after its run has ended',
  arguments: { task: argument('task', "the task's id") },
  options: { run: text('--run <run>', "the run's id; by default the project's newest") },
  examples: [{ command: 'signalbox task retry 003', help: 'then "signalbox run watch"' }],
  run: async (context, { arguments: { task }, options }) =>
    await withSession(context, {}, async (session) => {
      const { updateTask } = await import('../../../workers/runs/control-task.ts');
      const { restartRun } = await import('../../../workers/runs/restart-run.ts');
      const { ensureWorker } = await import('../../../workers/background-worker.ts');
      const { project } = session;
      const run = await chosenRun(session, options.run);
      if (await session.reader.isOpen(project.id, run)) {
        await ensureWorker(session);
        await updateTask(session, run, task, 'retryTask');
      } else {
        await restartRun(session, run, [task]);
        await ensureWorker(session);
      }
      const message = `${task} of run ${run} is tried again; "signalbox run watch ${run}" shows it`;
      return { result: { run_id: run, task_id: task, message }, text: message };
    }),
});
