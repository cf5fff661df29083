import { waitingTasks } from '../../../core/waiting.ts';
import { RUN_OPTION } from '../../deciding.ts';
import { defineCommand } from '../../framework/command.ts';
import { flag } from '../../framework/options.ts';
import { chosenRun, withSession } from '../../session.ts';

export const taskList = defineCommand({
  name: 'task list',
  summary: 'List the tasks of a run, or what waits for you',
  options: {
    run: RUN_OPTION,
    waiting: flag('--waiting', 'only tasks that wait for a person; of all open runs, unless --run names one'),
  },
  examples: [
    { command: 'signalbox task list --run nightly', help: 'the tasks of a named run' },
    { command: 'signalbox task list --waiting', help: 'what is asked of you, and what to type' },
  ],
  run: async (context, { options }) =>
    await withSession(context, {}, async (session) => {
      const { colors, columns } = context.output;
      if (options.waiting) {
        const { waitingRuns } = await import('../../../workers/runs/waiting-runs.ts');
        const { waitingText } = await import('../../views/waiting-view.ts');
        const { project } = session;
        const waiting =
          options.run === undefined
            ? (await waitingRuns(session)).flatMap((run) => run.waiting)
            : waitingTasks(await session.reader.read(project.id, options.run));
        const where = options.run === undefined ? `project ${project.id}` : `run ${options.run}`;
        const text = waiting.length === 0 ? `no task of ${where} waits for you` : waitingText(waiting, colors);
        return { result: { waiting }, text };
      }
      const { taskTable } = await import('../../views/run-view.ts');
      const run = await session.reader.read(session.project.id, await chosenRun(session, options.run));
      const text = taskTable(run, { now: Date.now(), colors, columns });
      return { result: { run_id: run.run_id, tasks: run.tasks }, text };
    }),
});
