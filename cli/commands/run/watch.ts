import { attach } from '../../attached.ts';
import { defineCommand } from '../../framework/command.ts';
import { flag, optionalArgument } from '../../framework/options.ts';
import { chosenRun, withSession } from '../../session.ts';

export const runWatch = defineCommand({
  name: 'run watch',
  summary: 'Show what changes in a run until it ends',
  description:
    'A run whose agents were ended by Ctrl+C goes on. Ctrl+C leaves the run alone; it goes on. The exit code is the one of "run start".',
  arguments: { run: optionalArgument('run', "the run's id; by default the project's newest") },
  options: { stop: flag('--stop', 'Ctrl+C also ends the running agents, keeping their work') },
  examples: [{ command: 'signalbox run watch', help: 'the newest run' }],
  run: async (context, { arguments: { run }, options }) =>
    await withSession(context, {}, async (session) => {
      const id = await chosenRun(session, run);
      const { isInterrupted } = await import('../../../core/run-description.ts');
      if (isInterrupted(await session.reader.read(session.project.id, id))) {
        const { resumeRun } = await import('../../../workers/runs/control-run.ts');
        const { ensureWorker } = await import('../../../workers/background-worker.ts');
        context.output.progress('The run was interrupted: it goes on.');
        await ensureWorker(session);
        await resumeRun(session, id);
      }
      return await attach(context, session, id, { stopOnInterrupt: options.stop, keepWorker: false });
    }),
});
