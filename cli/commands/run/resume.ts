import { controlCommand } from '../../control.ts';

export const runResume = controlCommand({
  verb: 'resume',
  summary: 'Go on with a paused, stopped, failed or cancelled run',
  description:
    'A run that has ended without success is started again under its id: its failed and cancelled tasks get new attempts, ' +
    'and what is merged stays merged. A worker is started in the background if none runs.',
  examples: [{ command: 'signalbox run resume', help: 'the newest run' }],
  control: async (session, run) => {
    const { resumeRun } = await import('../../../workers/runs/control-run.ts');
    const { restartRun } = await import('../../../workers/runs/restart-run.ts');
    const { ensureWorker } = await import('../../../workers/background-worker.ts');
    if (await session.reader.isOpen(session.project.id, run)) {
      await ensureWorker(session);
      return await resumeRun(session, run);
    }
    const description = await restartRun(session, run, null);
    await ensureWorker(session);
    return description;
  },
  next: (run) => `"signalbox run watch ${run}" shows it.`,
});
