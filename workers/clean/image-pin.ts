import type Docker from 'dockerode';
import { probeEngine, unlessStatus } from '../../activities/sandbox/engine.ts';
import { pinName, unpinImage } from '../../activities/sandbox/image-pins.ts';
import type { Home } from '../../activities/home.ts';
import type { RunRef } from '../../core/run-ref.ts';

/**
 * Takes away the name by which the image of a run is kept for it. The image goes with it, if it has no other.
 *
 * @returns what was, or would be, removed
 */
export async function removePin(
  engine: Docker,
  home: Home,
  run: Pick<RunRef, 'project' | 'run'>,
  dryRun: boolean,
): Promise<string[]> {
  if (!(await probeEngine(engine)).available) return [];
  const name = pinName(home, run);
  if ((await unlessStatus(engine.getImage(name).inspect(), 404)) === null) return [];
  if (!dryRun) await unpinImage(engine, home, run);
  return [`image tag ${name}`];
}
