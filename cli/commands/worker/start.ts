import { parseDuration } from '../../../core/duration.ts';
import { defineCommand } from '../../framework/command.ts';
import { count, text } from '../../framework/options.ts';

export const workerStart = defineCommand({
  name: 'worker start',
  summary: 'Work on runs, until interrupted',
  description:
    'Runs of this host whose agents were ended by Ctrl+C (--stop) go on. Ctrl+C ends the worker and leaves the agents working: ' +
    'the next worker attaches to them. Any number of workers may run.',
  options: {
    maxAgents: count('--max-agents <n>', 'how many agents it lets work at once, for all runs; by default 100'),
    idleExit: text('--idle-exit <duration>', 'end when no run has been open for that long', { hidden: true }),
  },
  examples: [{ command: 'signalbox worker start', help: 'in a terminal of its own' }],
  run: async (context, { options }) => {
    const idleMs = options.idleExit === undefined ? null : parseDuration(options.idleExit);
    const { work } = await import('../../../workers/work.ts');
    const host = await work({
      env: context.env,
      idleMs,
      maxAgents: options.maxAgents,
      signal: context.interrupted,
      onProgress: (line) => context.output.progress(line),
    });
    return { result: { host }, text: '' };
  },
});
