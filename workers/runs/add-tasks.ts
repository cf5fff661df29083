import path from 'node:path';
import { loadMoreTasks } from '../../activities/catalogue/task-files.ts';
import { ArtefactStore } from '../../activities/records/artefact-store.ts';
import { ManifestReader } from '../../activities/records/manifest-reader.ts';
import { SignalboxError } from '../../core/failures.ts';
import { currentRun, type RunRef } from '../../core/run-ref.ts';
import type { Task } from '../../core/task-file.ts';
import { addTasksUpdate } from '../../workflows/messages.ts';
import type { Session } from '../session.ts';
import { cleanManifest } from './clean-manifest.ts';
import { workNotices } from './run-notices.ts';
import { updateRun } from './update-run.ts';

/** How often somebody else may be quicker before it is given up. */
const TRIES = 5;

/** What {@link addTasks} did. */
export interface AddedTasks {
  tasks: Task[];
  /** What a person should know of them, one sentence each. */
  notices: string[];
}

/**
 * Adds tasks to an open run. They are checked like the catalogue, with the run's own tasks and the configuration that
 * the run is pinned to.
 *
 * @param files paths, relative to `directory`
 * @throws SignalboxError `task_files` with everything that is wrong, `refused` if the run is over
 */
export async function addTasks(
  session: Session,
  run: string,
  files: readonly string[],
  directory: string,
): Promise<AddedTasks> {
  await requireRunForMore(session, run);
  const store = new ArtefactStore(session.home.artefacts);
  const paths = files.map((file) => path.resolve(directory, file));
  for (let tries = 1; ; tries += 1) {
    const pinned = await pinnedRun(session, run);
    const manifest = await new ManifestReader(store).manifest(pinned);
    const tasks = loadMoreTasks(paths, session.project.root, manifest.tasks, manifest.config);
    const digests = Object.fromEntries(tasks.map(({ manifest: { id }, digest }) => [id, digest]));
    const more = cleanManifest(
      {
        ...manifest,
        tasks: [...manifest.tasks, ...tasks],
        catalogue: { ...manifest.catalogue, ...digests },
      },
      session.redactor,
    );
    const ids = tasks.map((task) => task.manifest.id);
    try {
      await updateRun(session, run, addTasksUpdate, {
        manifest: await store.put(more),
        before: pinned.manifest.sha256,
        tasks: ids,
      });
      return { tasks, notices: workNotices({ ...manifest, tasks }, true) };
    } catch (error) {
      // Was somebody else quicker? Then what was sent is made from an old manifest.
      const refused = error instanceof SignalboxError && error.code === 'refused' && tries < TRIES;
      if (!refused || (await pinnedRun(session, run)).manifest.sha256 === pinned.manifest.sha256) throw error;
    }
  }
}

/** The run with the manifest that it is pinned to by now. */
async function pinnedRun(session: Session, run: string): Promise<RunRef> {
  const { input, state } = await session.reader.fold(session.project.id, run);
  return currentRun(input.run, state.manifest);
}

async function requireRunForMore(session: Session, run: string): Promise<void> {
  if (await session.reader.isOpen(session.project.id, run)) return;
  const { status } = await session.reader.read(session.project.id, run);
  throw new SignalboxError('refused', `run ${run} is ${status}; tasks are added to open runs`, {
    hint:
      status === 'completed'
        ? 'Start another run: it takes what is merged as done.'
        : `Go on with it first ("signalbox run resume ${run}"), or start another run: it takes what is merged as done.`,
  });
}
