import { ArtefactStore } from '../../activities/records/artefact-store.ts';
import { ManifestReader } from '../../activities/records/manifest-reader.ts';
import { connectEngine, probeEngine } from '../../activities/sandbox/engine.ts';
import { restoreImage } from '../../activities/sandbox/project-image.ts';
import { SignalboxError } from '../../core/failures.ts';
import { currentRun } from '../../core/run-ref.ts';
import type { RunState } from '../../core/run-state.ts';
import type { RunInput } from '../../core/workflow-inputs.ts';
import { pinRunImage } from '../run-image-pins.ts';
import { prepareImage } from '../sandbox-image.ts';
import type { Session } from '../session.ts';

/**
 * What a run that has ended goes on from, with an image that is there: the one that it was pinned to; or, if that is lost
 * for good, what its configuration means now. Says so then.
 *
 * @throws SignalboxError `environment` if there is neither
 */
export async function withImage(
  session: Session,
  input: RunInput,
  state: RunState,
): Promise<{ input: RunInput; state: RunState }> {
  const { image, run } = input;
  if (image === undefined) return { input, state };
  const { env, home, project, onProgress } = session;
  const engine = connectEngine(env);
  // Steps wait for an engine that is away; what it has is not known before.
  if (!(await probeEngine(engine)).available) return { input, state };
  const store = new ArtefactStore(home.artefacts);
  const manifest = await new ManifestReader(store).manifest(currentRun(run, state.manifest));
  const { config } = manifest;
  try {
    await restoreImage(engine, image, config, { onProgress });
    await pinRunImage(session, run, image);
    return { input, state };
  } catch (error) {
    if (!(error instanceof SignalboxError)) throw error;
    const found = await prepareImage({ project, config, env, onProgress, signal: new AbortController().signal });
    onProgress(`${error.message}. It goes on in ${found.reference} (${found.id.slice(7, 19)}).`);
    await pinRunImage(session, run, found);
    const next = await store.put({ ...manifest, image: found });
    return { input: { ...input, image: found }, state: { ...state, manifest: next } };
  }
}
