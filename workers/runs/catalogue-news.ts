import { z } from 'zod';
import { ArtefactStore } from '../../activities/records/artefact-store.ts';
import { ManifestReader } from '../../activities/records/manifest-reader.ts';
import { catalogueChanges } from '../../core/catalogue-changes.ts';
import { runWorkflowId } from '../../core/ids.ts';
import type { RunManifest } from '../../core/run-manifest.ts';
import type { Session } from '../session.ts';

const memoSchema = z.object({ manifest: z.object({ sha256: z.string(), bytes: z.number() }) });

/**
 * How the task files differ from those of an earlier run, in one line.
 *
 * @returns `null` if they are the same, or if this host does not have what that run was pinned to
 */
export async function catalogueNews(session: Session, earlier: string, now: RunManifest): Promise<string | null> {
  const { project } = now.config;
  try {
    const { memo } = await session.client.workflow.getHandle(runWorkflowId(project, earlier)).describe();
    const manifests = new ManifestReader(new ArtefactStore(session.home.artefacts));
    const before = await manifests.manifest(memoSchema.parse(memo));
    const changes = catalogueChanges(before.catalogue, now.catalogue);
    return changes === null ? null : `task files since run ${earlier}: ${changes}`;
  } catch {
    // It is a courtesy: a run that started on another host, or is being forgotten, is no reason not to start.
    return null;
  }
}
