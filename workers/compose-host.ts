import type { Client } from '@temporalio/client';
import type { RunActivities, TaskActivities, TrainActivities } from '../core/activities.ts';
import type { RemoteActivities } from '../core/remote.ts';
import type { RunManifest } from '../core/run-manifest.ts';
import { asActivities } from '../activities/activity-failure.ts';
import { createAgents } from '../activities/agent/agents.ts';
import { createTaskActivities } from '../activities/attempt/task-activities.ts';
import { hostId, type Home } from '../activities/home.ts';
import { createHook } from '../activities/hook/create-hook.ts';
import { createTrainActivities } from '../activities/merge/train-activities.ts';
import { ProjectHost } from '../activities/project-host.ts';
import { projectSecrets } from '../activities/redaction/project-secrets.ts';
import type { Redactor } from '../activities/redaction/redactor.ts';
import { ArtefactStore } from '../activities/records/artefact-store.ts';
import { ManifestReader } from '../activities/records/manifest-reader.ts';
import { createRemoteActivities } from '../activities/remotes/remote-activities.ts';
import { createRunActivities } from '../activities/runs/run-activities.ts';
import { createSandbox } from '../activities/sandbox/create-sandbox.ts';
import { sandboxOptions } from './sandbox-options.ts';
import type { Sandbox } from '../activities/sandbox/sandbox.ts';
import { GatewayKeeper } from './gateway-keeper.ts';
import { wantsGateway } from './local-protection.ts';

/** A host's activities over the real adapters. */
export interface ComposedHost {
  activities: TaskActivities & TrainActivities & RunActivities & RemoteActivities;
  host: string;
  /** No step will be started any more: what they need is not looked after any longer. */
  stop(): void;
}

/** Wires the adapters of one host together: the only place that knows them all. */
export function composeHost(options: {
  home: Home;
  env: Readonly<Record<string, string | undefined>>;
  client: Client;
  /** The task queue that hosts share. */
  queue: string;
  searchable: boolean;
  /** The address of a workflow in the Web UI, where that is known. */
  webUi: (workflowId: string) => string | null;
  /** Keeps secrets out of what is written; learns those of the projects that are worked on. */
  redactor: Redactor;
  onProgress: (text: string) => void;
}): ComposedHost {
  const { home, env, client, queue, searchable, webUi, redactor, onProgress } = options;
  const manifests = new ManifestReader(new ArtefactStore(home.artefacts), ({ config }) =>
    redactor.learn(projectSecrets(config, env)),
  );
  const keeper = new GatewayKeeper({ home, env, onProgress });
  const making = new Map<string, Promise<Sandbox>>();
  const sandboxOf = async (manifest: RunManifest): Promise<Sandbox> => {
    const needsGateway = wantsGateway(manifest);
    const key = JSON.stringify([manifest.backend, manifest.image, needsGateway, manifest.config.sandbox]);
    let made = making.get(key);
    if (made === undefined) {
      made = (async () => {
        const gateway = needsGateway ? await keeper.gateway() : null;
        return await createSandbox(
          sandboxOptions({
            config: manifest.config,
            backend: manifest.backend,
            pinned: manifest.image,
            home,
            env,
            redactor,
            gateway,
            onProgress,
          }),
        );
      })();
      making.set(key, made);
      made.catch(() => making.delete(key));
    }
    return await made;
  };
  const host = new ProjectHost({
    home,
    host: hostId(home),
    queue,
    env,
    manifests,
    sandboxOf,
    redactor,
    agents: createAgents({ home, onUnsandboxed: onProgress }),
    onProgress,
  });
  return {
    activities: asActivities(
      {
        ...createTaskActivities(host),
        ...createTrainActivities(host),
        ...createRemoteActivities(host),
        ...createRunActivities({ client, queue, manifests, searchable, hook: createHook(env, onProgress), webUi }),
      },
      redactor,
    ),
    host: host.host,
    stop: () => keeper.stop(),
  };
}
