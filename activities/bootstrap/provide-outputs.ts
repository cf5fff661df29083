import { DeliveredOutputs } from './delivered-outputs.ts';
import { ensureSnapshot } from './ensure-snapshot.ts';
import type { RunManifest } from '../../core/run-manifest.ts';
import type { RunRef } from '../../core/run-ref.ts';
import { bootstrapNetwork } from '../../core/step-network.ts';
import type { ProjectHost } from '../project-host.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { listedVariables } from '../step-facts.ts';

/** Whose tree gets its dependencies. */
export interface OutputsRequest {
  host: ProjectHost;
  manifest: RunManifest;
  run: RunRef;
  sandbox: Sandbox;
  commit: string;
  /** Is the commit accepted work, and nothing that an agent has just written? */
  accepted: boolean;
  /** The directory of a workspace, or of a slot of the pool, whose tree is a clean checkout of the commit. */
  directory: string;
  /** Aborting it lets go of what is being made. */
  signal: AbortSignal;
}

/**
 * Gives a clean tree the dependencies that its commit needs, if the project has a bootstrap. Does nothing for a tree that
 * has them.
 *
 * @throws BootstrapFailed if they cannot be installed
 */
export async function provideOutputs(request: OutputsRequest): Promise<DeliveredOutputs> {
  const { host, manifest, run, sandbox, commit, accepted, directory, signal } = request;
  const outputs = new DeliveredOutputs(directory, sandbox.fileOwner);
  const { bootstrap, timeout } = manifest.config.checks;
  if (bootstrap === undefined || outputs.isDelivered) return outputs;
  const store = host.snapshots;
  const snapshot = await ensureSnapshot({
    bare: await host.bare(run.repository),
    commit,
    accepted,
    bootstrap,
    // Where nothing enforces what is allowed, a proxy would only be in the way.
    network: sandbox.backend === 'docker' ? bootstrapNetwork(manifest.config.sandbox, bootstrap.network) : 'bridge',
    sandbox,
    variables: listedVariables(host, manifest),
    store,
    project: run.project,
    repository: run.repository.id,
    branch: run.repository.branch,
    pool: await host.pool(run.repository, sandbox),
    timeoutMs: timeout,
    holder: outputs.marker,
    signal,
    onProgress: host.onProgress,
  });
  await outputs.deliver(snapshot, { store, layering: await sandbox.canLayer(), signal });
  return outputs;
}
