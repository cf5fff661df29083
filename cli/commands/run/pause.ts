import { controlCommand } from '../../control.ts';

export const runPause = controlCommand({
  verb: 'pause',
  summary: 'Start no new task or turn; running steps end by themselves',
  examples: [{ command: 'signalbox run pause', help: 'the newest run' }],
  control: async (session, run) => {
    const { pauseRun } = await import('../../../workers/runs/control-run.ts');
    return await pauseRun(session, run);
  },
  next: (run) => `Nothing new starts; running steps end by themselves. "signalbox run resume ${run}" goes on.`,
});
