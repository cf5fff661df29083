import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { Home } from '../activities/home.ts';
import { connectEngine, probeEngine } from '../activities/sandbox/engine.ts';
import { pinImage, unpinImage, type ImagePin } from '../activities/sandbox/image-pins.ts';
import { storedImages } from '../activities/sandbox/stored-images.ts';
import { runWorkflowId } from '../core/ids.ts';
import type { RunImage } from '../core/run-image.ts';
import { hasRunningTasks } from './runs/running-tasks.ts';
import type { Session } from './session.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** How often the pins of runs are looked through, milliseconds. */
const ROUND = 300_000;

/** Pins a run's image, so that nobody takes it for unused. A run can do without: its image is then less well kept. */
export async function pinRunImage(session: Session, pin: ImagePin, image: RunImage): Promise<void> {
  try {
    await pinImage(connectEngine(session.env), session.home, pin, image.id);
  } catch (error) {
    session.onProgress(`The image ${image.reference} could not be marked as used by the run: ${String(error)}`);
  }
}

/** Where a run stands that an image is pinned for. `unknown`: the server never heard of it, or has forgotten it. */
export type PinnedRun = 'living' | 'over' | 'unknown';

/** Looks at whether a run, or a task that it left behind, may still need its image. */
export async function pinnedRun(client: Client, { project, run }: ImagePin): Promise<PinnedRun> {
  const workflowId = runWorkflowId(project, run);
  try {
    const { status } = await client.workflow.getHandle(workflowId).describe();
    if (status.name === 'RUNNING') return 'living';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'unknown';
    throw error;
  }
  return (await hasRunningTasks(client, { project, run })) ? 'living' : 'over';
}

/**
 * Takes the pins of runs away that are over. An image that has no other name keeps its pin, since it would go with it: such
 * a run may be retried, and "image prune" removes it when it is old.
 */
export async function releasePins(home: Home, env: Env, client: Client): Promise<void> {
  const engine = connectEngine(env);
  if (!(await probeEngine(engine)).available) return;
  for (const { tags, digest, pins } of await storedImages(engine, home)) {
    if (digest === null && tags.length === 0) continue;
    for (const pin of pins) if ((await pinnedRun(client, pin)) === 'over') await unpinImage(engine, home, pin);
  }
}

/**
 * Releases the images of runs that are over, from now on.
 *
 * @returns what ends it
 */
export function startReleasingPins(
  { home, env, client }: { home: Home; env: Env; client: Client },
  onProblem: (text: string) => void,
): () => void {
  let stopped = false;
  const look = (): void => {
    releasePins(home, env, client).catch((error: unknown) => {
      // A round that its worker left in the middle has lost its connection.
      if (!stopped) onProblem(`images of runs could not be looked through: ${String(error)}`);
    });
  };
  look();
  const timer = setInterval(look, ROUND);
  timer.unref();
  return () => {
    stopped = true;
    clearInterval(timer);
  };
}
