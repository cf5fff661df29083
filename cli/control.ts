import type { RunDescription } from '../core/description.ts';
import type { Session } from '../workers/session.ts';
import { defineCommand, type Command, type Example } from './framework/command.ts';
import { optionalArgument } from './framework/options.ts';
import { chosenRun, withSession } from './session.ts';

/** A command that tells a run to do something, and says what happens next. */
export function controlCommand(definition: {
  verb: string;
  summary: string;
  description?: string;
  examples: readonly Example[];
  /** Tells the run. @returns the run as it is then */
  control: (session: Session, run: string) => Promise<RunDescription>;
  /** What happens next, in a sentence or two. */
  next: (run: string) => string;
}): Command {
  const { verb, control, next, ...data } = definition;
  return defineCommand({
    ...data,
    name: `run ${verb}`,
    arguments: { run: optionalArgument('run', "the run's id; by default the project's newest") },
    run: async (context, { arguments: { run } }) =>
      await withSession(context, {}, async (session) => {
        const id = await chosenRun(session, run);
        const description = await control(session, id);
        const { isWorkerPolling } = await import('../workers/runs/pollers.ts');
        const open = description.ended_at === null;
        if (open && !(await isWorkerPolling(session.client))) {
          context.output.warn('no worker runs now; it takes effect when one does ("signalbox worker start")');
        }
        const result = { ...description, web_ui: session.webUi(description.workflow_id) };
        return { result, text: `run ${id} is ${description.status}. ${next(id)}` };
      }),
  });
}
