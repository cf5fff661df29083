import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { homeOf, type Home } from '../../activities/home.ts';
import { packageRoot } from '../../activities/package-root.ts';
import { ArtefactStore } from '../../activities/records/artefact-store.ts';
import type { RunDescription } from '../../core/description.ts';
import { SignalboxError } from '../../core/failures.ts';
import type { RunManifest } from '../../core/run-manifest.ts';
import type { RunRef } from '../../core/run-ref.ts';
import { WORKER_NODE_OPTIONS, WORKER_VARIABLES } from '../../workers/background-worker.ts';
import { embeddedServer } from '../../workers/embedded.ts';
import { isWorkerPolling } from '../../workers/runs/pollers.ts';
import { followRun } from '../../workers/runs/follow-run.ts';
import { prepareRun } from '../../workers/runs/prepare-run.ts';
import { repositoryRef } from '../../workers/runs/repository-ref.ts';
import { startRun } from '../../workers/runs/start-run.ts';
import { openSession, type Session } from '../../workers/session.ts';
import type { EmbeddedServer } from '../../workers/server/embedded-server.ts';
import { workflowBundle } from '../../workers/workflow-bundle.ts';
import { PROBE_REQUEST, probeAnswer } from './probe.ts';
import type { BenchRepository } from './repository.ts';

/** How long a worker may take to poll, milliseconds: its first start bundles the workflows. */
const WORKER_START = 60_000;

/** How long a run may take, milliseconds. */
const LONGEST_RUN = 1_800_000;

/** What goes on beside a run. */
export type Beside = (client: Client, workflowId: string, over: AbortSignal) => Promise<void>;

const NOTHING: Beside = () => Promise.resolve();

/** A run that ended, with its wall time in seconds. */
export interface FinishedRun {
  description: RunDescription;
  seconds: number;
}

/** A run that is pinned, but not started. */
export interface PinnedRun {
  home: Home;
  run: RunRef;
  manifest: RunManifest;
}

/** A Signalbox home for the bench alone: a tuned embedded server, and a real worker process. */
export class BenchWorld {
  readonly root: string;
  readonly home: Home;
  readonly #env: Record<string, string>;
  readonly #server: EmbeddedServer;
  #worker: ChildProcess | null = null;

  constructor() {
    this.root = realpathSync(mkdtempSync(path.join(tmpdir(), 'signalbox-bench-')));
    const { PATH = '', HOME = '/root', SIGNALBOX_CACHE, XDG_CACHE_HOME } = process.env;
    this.#env = {
      PATH,
      HOME: this.root,
      SIGNALBOX_HOME: path.join(this.root, 'home'),
      SIGNALBOX_CACHE: SIGNALBOX_CACHE ?? path.join(XDG_CACHE_HOME ?? path.join(HOME, '.cache'), 'signalbox'),
    };
    this.home = homeOf(this.#env);
    this.#server = embeddedServer(this.#env, say);
  }

  get serverPid(): number | null {
    return this.#server.status().pid;
  }

  get workerPid(): number | null {
    return this.#worker?.pid ?? null;
  }

  /** Starts the server, and bundles the workflows if their sources changed, which an installed package need not. */
  async startServer(): Promise<void> {
    await this.#server.start();
    await workflowBundle(this.#env);
  }

  /**
   * Starts a worker process and waits until it polls.
   *
   * @param profile a directory for a V8 CPU profile of the worker, written when it ends
   */
  async startWorker(repository: BenchRepository, profile: string | null): Promise<void> {
    await this.stopWorker();
    mkdirSync(this.home.workers, { recursive: true });
    const log = openSync(path.join(this.home.workers, 'bench.log'), 'a');
    const root = packageRoot();
    const profiling = profile === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
    const probe = ['--import', path.join(root, 'scripts', 'bench', 'probe.ts')];
    const worker = spawn(
      process.execPath,
      [...WORKER_NODE_OPTIONS, ...profiling, ...probe, path.join(root, 'cli', 'signalbox.js'), 'worker', 'start'],
      { cwd: '/', env: { ...WORKER_VARIABLES, ...this.#env }, stdio: ['ignore', log, log, 'ipc'] },
    );
    closeSync(log);
    this.#worker = worker;
    const session = await this.session(repository);
    try {
      for (const deadline = Date.now() + WORKER_START; !(await isWorkerPolling(session.client));) {
        if (worker.exitCode !== null || Date.now() > deadline) {
          throw new SignalboxError('environment', `the worker does not poll; its log is in ${this.home.workers}`);
        }
        await sleep(50);
      }
    } finally {
      await session.close();
    }
  }

  /** Lets the worker end as Ctrl+C does. */
  async stopWorker(): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    if (worker === null || worker.exitCode !== null) return;
    worker.kill('SIGINT');
    await once(worker, 'exit');
  }

  /** What the worker counted since it was started. */
  async probe(): Promise<ReturnType<typeof probeAnswer.parse>> {
    const worker = this.#worker;
    if (worker === null) throw new SignalboxError('internal', 'no worker runs');
    const answer = once(worker, 'message', { signal: AbortSignal.timeout(10_000) });
    worker.send(PROBE_REQUEST);
    const [message] = (await answer) as unknown[];
    return probeAnswer.parse(message);
  }

  /** A session as the command line opens it. */
  async session(repository: BenchRepository): Promise<Session> {
    const { directory } = repository;
    return await openSession({ directory, env: this.#env, startServer: true, onProgress: say });
  }

  /**
   * Runs all tasks of a repository, as `run start` does, and follows the run to its end.
   *
   * @param beside what goes on while it works; ended by the signal, and waited for
   */
  async run(
    repository: BenchRepository,
    maxParallel: number,
    beside: Beside = NOTHING,
    backend: 'docker' | 'local' = 'local',
  ): Promise<FinishedRun> {
    const session = await this.session(repository);
    const over = new AbortController();
    try {
      const request = {
        directory: repository.directory,
        env: this.#env,
        tasks: undefined,
        reuse: false,
        runId: undefined,
      };
      const prepared = await prepareRun({ ...request, maxParallel, backend });
      const began = Date.now();
      let last = await startRun(session, prepared, null);
      const { client, reader, project } = session;
      const besides = beside(client, last.workflow_id, over.signal);
      for await (const seen of followRun(reader, project.id, last.run_id, AbortSignal.timeout(LONGEST_RUN)))
        last = seen;
      over.abort();
      await besides;
      const ended = Date.parse(last.ended_at ?? '');
      if (last.status !== 'completed' || Number.isNaN(ended)) {
        throw new SignalboxError('internal', `run ${last.run_id} is ${last.status}: ${last.reason ?? 'no reason'}`);
      }
      return { description: last, seconds: (ended - began) / 1000 };
    } finally {
      over.abort();
      await session.close();
    }
  }

  /** Pins a run of all tasks of a repository, whose finished work the caller makes up. */
  async pin(repository: BenchRepository, runId: string): Promise<PinnedRun> {
    const { home } = this;
    const asked = { tasks: undefined, reuse: false, runId, maxParallel: undefined, backend: 'local' } as const;
    const prepared = await prepareRun({ ...asked, directory: repository.directory, env: this.#env });
    const { manifest, project, user } = prepared;
    const pinned = await new ArtefactStore(home.artefacts).put(manifest);
    const ref = repositoryRef(home, project, user);
    return { home, manifest, run: { project: manifest.config.project, run: runId, repository: ref, manifest: pinned } };
  }

  /** Ends the processes and removes the files. */
  async close(): Promise<void> {
    await this.stopWorker();
    await this.#server.stop();
    rmSync(this.root, { recursive: true, force: true, maxRetries: 3 });
  }
}

function say(text: string): void {
  process.stderr.write(`  ${text}\n`);
}
