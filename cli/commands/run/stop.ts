import { controlCommand } from '../../control.ts';

export const runStop = controlCommand({
  verb: 'stop',
  summary: 'Pause, and end the running steps at once, keeping their work',
  examples: [{ command: 'signalbox run stop', help: 'before the machine is switched off' }],
  control: async (session, run) => {
    const { stopRun } = await import('../../../workers/runs/control-run.ts');
    await stopRun(session, run);
    return await session.reader.read(session.project.id, run);
  },
  next: (run) => `Running steps are ended and their work is kept. "signalbox run resume ${run}" goes on.`,
});
