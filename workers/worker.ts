import { inspect } from 'node:util';
import { Client } from '@temporalio/client';
import {
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  type Logger,
  type NativeConnectionOptions,
  type WorkerOptions,
} from '@temporalio/worker';
import { agentsQueue, hostQueue } from '../core/ids.ts';
import type { Home } from '../activities/home.ts';
import { environmentRedactor } from '../activities/redaction/environment-secrets.ts';
import type { Redactor } from '../activities/redaction/redactor.ts';
import { composeHost } from './compose-host.ts';
import { dataConverters } from './data-converters.ts';
import { Janitor } from './janitor.ts';
import { janitorSandboxes } from './janitor-sandboxes.ts';
import { startReleasingPins } from './run-image-pins.ts';
import type { KnownServer } from './server/known-server.ts';
import { registerSearchAttributes } from './server/namespace.ts';
import { startPruning } from './snapshot-pruner.ts';
import type { TemporalTarget } from './server/target.ts';
import { workflowBundle } from './workflow-bundle.ts';

/** What a worker is started with. */
export interface StartWorkerOptions {
  home: Home;
  env: Readonly<Record<string, string | undefined>>;
  server: KnownServer;
  /** How many agents it lets work at once, for all runs and repositories. */
  maxAgents: number;
  /** The address of a workflow in the Web UI, where that is known. */
  webUi: (workflowId: string) => string | null;
  /** Told what takes long, and what went wrong beside the workflows. */
  onProgress?: (text: string) => void;
}

/** A worker of this host. */
export interface RunningWorker {
  host: string;
  /** Resolves when it has shut down. Steps go on without it. */
  run(): Promise<void>;
  shutdown(): void;
}

/** How many activities of each other kind a host works on at once: more than the tasks of a few runs. */
const MOST_ACTIVITIES = 100;

/**
 * Starts a worker: one poller for the queue that all hosts share, with the workflows, one for what lies on this host's
 * disk, and one for the agents, whose number is bounded and whose waiting must not hold up checks and merges.
 */
export async function startWorker(options: StartWorkerOptions): Promise<RunningWorker> {
  const { home, env, server, maxAgents, webUi } = options;
  const { namespace } = server.target;
  const { queue } = server;
  const redactor = environmentRedactor(env);
  const onProgress = (text: string): void => options.onProgress?.(redactor.text(text));
  const converters = dataConverters(home, env, redactor);
  Runtime.install({ logger: cleanLogger(redactor), shutdownSignals: [] });
  const [connection, native, workflows] = await Promise.all([
    server.connect(),
    NativeConnection.connect(nativeOptions(server.target.connection)),
    workflowBundle(env, { encrypts: converters.encrypts }),
  ]);
  const client = new Client({ connection, namespace, dataConverter: converters.client });
  const registration = await registerSearchAttributes(connection, namespace);
  const searchable = registration.registered;
  const composed = composeHost({ home, env, client, queue, searchable, webUi, redactor, onProgress });
  const shared: WorkerOptions = {
    connection: native,
    namespace,
    dataConverter: converters.worker,
    taskQueue: queue,
    activities: composed.activities,
    // Detaching from steps is quick; nothing that was paid for depends on this.
    shutdownGraceTime: '5s',
    // A cancelled step should end at once: the word comes with the answer to a heartbeat.
    maxHeartbeatThrottleInterval: '1s',
    maxConcurrentActivityTaskExecutions: MOST_ACTIVITIES,
  };
  const workers = await Promise.all([
    Worker.create({
      ...shared,
      workflowBundle: workflows,
      maxCachedWorkflows: 60,
      stickyQueueScheduleToStartTimeout: '2s',
      reuseV8Context: true,
    }),
    Worker.create({ ...shared, taskQueue: hostQueue(queue, composed.host) }),
    Worker.create({
      ...shared,
      taskQueue: agentsQueue(queue, composed.host),
      activities: composed.activities,
      maxConcurrentActivityTaskExecutions: maxAgents,
    }),
  ]);
  const sandboxes = janitorSandboxes(home, env, redactor);
  const janitor = new Janitor({ client, sandboxes, onProblem: onProgress });
  return {
    host: composed.host,
    async run() {
      janitor.start();
      const stopPruning = startPruning(env, onProgress);
      const stopReleasing = startReleasingPins({ home, env, client }, onProgress);
      try {
        await Promise.all(workers.map((worker) => worker.run()));
      } finally {
        janitor.stop();
        stopPruning();
        stopReleasing();
        composed.stop();
        await Promise.all([connection.close(), native.close()]);
      }
    },
    shutdown() {
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    },
  };
}

/** Temporal's own log, on standard error, without secrets: it tells of failures with all that they say. */
function cleanLogger(redactor: Redactor): Logger {
  return new DefaultLogger('WARN', ({ level, message, timestampNanos, meta }) => {
    const time = new Date(Number(timestampNanos / 1_000_000n)).toISOString();
    const said = meta === undefined ? message : `${message} ${inspect(meta, { breakLength: Infinity, depth: 6 })}`;
    process.stderr.write(redactor.text(`${time} [${level}] ${said}\n`));
  });
}

/** The connection's options without what only the client's kind takes (an API key that is a function). */
function nativeOptions({ address, tls, apiKey, metadata }: TemporalTarget['connection']): NativeConnectionOptions {
  return {
    address,
    ...(tls === undefined || tls === null ? {} : { tls }),
    ...(typeof apiKey === 'string' ? { apiKey } : {}),
    ...(metadata === undefined ? {} : { metadata }),
  };
}
