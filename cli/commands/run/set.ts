import { defineCommand } from '../../framework/command.ts';
import { optionalArgument, requiredCount } from '../../framework/options.ts';
import { chosenRun, withSession } from '../../session.ts';

export const runSet = defineCommand({
  name: 'run set',
  summary: 'Change how many tasks of an open run are worked on at once',
  description: 'What works already is not interrupted: with a smaller number, nothing new starts for a while.',
  arguments: { run: optionalArgument('run', "the run's id; by default the project's newest") },
  options: { maxParallel: requiredCount('--max-parallel <n>', 'how many tasks at once') },
  examples: [{ command: 'signalbox run set --max-parallel 8', help: 'the newest run' }],
  run: async (context, { arguments: words, options: { maxParallel } }) =>
    await withSession(context, {}, async (session) => {
      const { setRun } = await import('../../../workers/runs/control-run.ts');
      const run = await chosenRun(session, words.run);
      await setRun(session, run, { maxParallel });
      const message = `run ${run} works on ${maxParallel} tasks at once, at most`;
      return { result: { run_id: run, max_parallel: maxParallel, message }, text: message };
    }),
});
