import type Docker from 'dockerode';
import { probeEngine, unlessStatus } from '../../activities/sandbox/engine.ts';
import { pinName, unpinImage } from '../../activities/sandbox/image-pins.ts';
import { labelFilter } from '../../activities/sandbox/labels.ts';
import type { Home } from '../../activities/home.ts';
import type { RunRef } from '../../core/run-ref.ts';

/**
 * Removes the containers of a run: those with exactly its labels, so that no other run's or Signalbox's are touched.
 *
 * @returns what was, or would be, removed, and what could not be
 */
export async function removeContainers(
  engine: Docker,
  home: Home,
  run: Pick<RunRef, 'project' | 'run'>,
  dryRun: boolean,
): Promise<{ removed: string[]; refused: string[] }> {
  const probe = await probeEngine(engine);
  // Without an engine there are no containers either.
  if (!probe.available) return { removed: [], refused: [] };
  const labels = { 'signalbox.home': home.root, 'signalbox.project': run.project, 'signalbox.run': run.run };
  const found = await engine.listContainers({ all: true, filters: labelFilter(labels) });
  const removed: string[] = [];
  const refused: string[] = [];
  for (const { Id, Names } of found) {
    const name = `container ${(Names[0] ?? Id).replace(/^\//, '')}`;
    try {
      if (!dryRun) await unlessStatus(engine.getContainer(Id).remove({ force: true, v: true }), 404, 409);
      removed.push(name);
    } catch (error) {
      refused.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { removed, refused };
}

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
