import type { Session } from '../workers/session.ts';
import { SignalboxError } from '../core/failures.ts';
import type { Context } from './framework/context.ts';

/** What a command needs of the Temporal server. */
export interface SessionNeeds {
  /** Start the embedded server if none is configured and none runs. Without it, only one that has data is started. */
  startServer?: boolean;
}

/** Does something with a connection to the project's runs, and closes the connection afterwards. */
export async function withSession<T>(
  context: Context,
  needs: SessionNeeds,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const { openSession } = await import('../workers/session.ts');
  const { directory, env, output } = context;
  const session = await openSession({
    directory,
    env,
    startServer: needs.startServer ?? false,
    onProgress: (text) => output.progress(text),
  });
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

/** The run that a command is about: the named one, else the project's newest. @throws SignalboxError `not_found` */
export async function chosenRun(session: Session, run: string | undefined): Promise<string> {
  if (run !== undefined) return run;
  const { listRuns } = await import('../workers/runs/run-list.ts');
  const [newest] = await listRuns(session.client, session.project.id);
  if (newest !== undefined) return newest.run_id;
  throw new SignalboxError('not_found', `project ${session.project.id} has no runs yet`, {
    hint: 'Start one with "signalbox run start".',
  });
}
