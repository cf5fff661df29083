import { existsSync, rmSync } from 'node:fs';
import { z } from 'zod';
import { oldFolders, repositoryIn } from './example.ts';
import { stopModel } from './model.ts';
import type { Place } from './place.ts';
import { endWorkers } from './processes.ts';
import type { Signalbox } from './signalbox.ts';

const runs = z.object({ runs: z.array(z.object({ run_id: z.string(), status: z.string() })) });
const CLOSED = ['completed', 'failed', 'cancelled'];

/** Ends what earlier quickstarts left running, and removes their repositories, work trees and containers. */
export async function forgetRuns(place: Place, signalbox: Signalbox, say: (text: string) => void): Promise<void> {
  const folders = oldFolders(place);
  const newest = folders.at(-1);
  if (newest !== undefined && existsSync(repositoryIn(newest))) {
    const at = ['-C', repositoryIn(newest)];
    const listed = await signalbox.ask(runs, ...at, 'run', 'list');
    const open = listed?.runs.filter(({ status }) => !CLOSED.includes(status)) ?? [];
    for (const { run_id } of open) {
      say(`  Cancelling the run ${run_id}, which was left open`);
      await signalbox.ask(z.unknown(), ...at, 'run', 'cancel', run_id);
    }
    // It ends when no run is open any more, and brings that about where no other worker does.
    if (open.length > 0) await signalbox.ask(z.unknown(), 'worker', 'start', '--idle-exit', '1s');
    if ((listed?.runs.length ?? 0) > 0) await signalbox.ask(z.unknown(), ...at, 'clean', '--force');
  }
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

/** Ends and removes everything that quickstarts made. */
export async function removeAll(place: Place, signalbox: Signalbox, say: (text: string) => void): Promise<void> {
  if (!existsSync(place.directory)) return;
  await forgetRuns(place, signalbox, say);
  await endWorkers(place);
  if (existsSync(place.home)) await signalbox.ask(z.unknown(), 'server', 'stop');
  await stopModel(place);
  // The gateway ends when it finds its files gone.
  rmSync(place.directory, { recursive: true, force: true });
}
