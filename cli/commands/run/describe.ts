import { runOutcome } from '../../attached.ts';
import { defineCommand } from '../../framework/command.ts';
import { optionalArgument } from '../../framework/options.ts';
import { chosenRun, withSession } from '../../session.ts';

export const runDescribe = defineCommand({
  name: 'run describe',
  summary: 'Show a run: its status, its tasks, what it used, and the link to the Web UI',
  arguments: { run: optionalArgument('run', "the run's id; by default the project's newest") },
  examples: [
    { command: 'signalbox run describe', help: 'the newest run' },
    { command: 'signalbox run describe nightly -o json', help: 'for scripts' },
  ],
  run: async (context, { arguments: { run } }) =>
    await withSession(context, {}, async (session) => {
      const description = await session.reader.read(session.project.id, await chosenRun(session, run));
      return runOutcome(context, session, description);
    }),
});
