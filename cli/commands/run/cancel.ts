import { controlCommand } from '../../control.ts';

export const runCancel = controlCommand({
  verb: 'cancel',
  summary: 'End a run: its steps are ended, their work is kept in refs, its locks are freed',
  examples: [{ command: 'signalbox run cancel nightly', help: 'a named run' }],
  control: async (session, run) => {
    const { cancelRun } = await import('../../../workers/runs/control-run.ts');
    return await cancelRun(session, run);
  },
  next: (run) =>
    `Its steps are ended and their work is kept in refs/signalbox/${run}/. "signalbox run resume ${run}" starts it again.`,
});
