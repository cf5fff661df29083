import path from 'node:path';
import type { AttemptRef } from '../core/activities.ts';
import { SignalboxError } from '../core/failures.ts';
import type { StepOwner } from '../core/ids.ts';
import type { RunManifest } from '../core/run-manifest.ts';
import type { RepositoryRef, RunRef } from '../core/run-ref.ts';
import type { Agent } from './agent/agent.ts';
import { SnapshotStore } from './bootstrap/snapshot-store.ts';
import { VerdictStore } from './checks/verdict-store.ts';
import { BareRepository } from './git/bare-repository.ts';
import type { MergeResult } from './git/candidate.ts';
import { CheckoutPool } from './git/checkout-pool.ts';
import { ourSignature, type Signature } from './git/objects.ts';
import { inspectUserRepository } from './git/inspect-user-repository.ts';
import type { UserRepository } from './git/user-repository.ts';
import { makePrivateDirectory, type Home } from './home.ts';
import type { ManifestReader } from './records/manifest-reader.ts';
import { MergeCommits } from './merge/merge-commits.ts';
import { RecentMap } from './recent-map.ts';
import { environmentRedactor } from './redaction/environment-secrets.ts';
import type { Redactor } from './redaction/redactor.ts';
import { UsageLedger } from './records/usage-ledger.ts';
import type { Sandbox } from './sandbox/sandbox.ts';

/** How many merges are remembered. */
const MERGES = 2000;

/** The parts of the outside world that a host's activities work with. */
export interface ProjectHostOptions {
  home: Home;
  /** This host's id; activities of repositories of another host are refused. */
  host: string;
  /** The task queue that hosts share. */
  queue: string;
  /** The worker's environment, from which steps get what `sandbox.env` lists. */
  env: Readonly<Record<string, string | undefined>>;
  manifests: ManifestReader;
  /** The sandbox that a run asked for; made when it is first needed. */
  sandboxOf(manifest: RunManifest): Promise<Sandbox>;
  agents: Readonly<Record<Agent['provider'], Agent>>;
  /** Told what takes long. */
  onProgress?: (text: string) => void;
  /** Keeps secrets out of what is written; by default those of `env` and of well-known shapes. */
  redactor?: Redactor;
}

/** What a host holds for the projects that work on it: their repositories, workspaces and checkouts, each opened once. */
export class ProjectHost {
  readonly home: Home;
  readonly host: string;
  readonly queue: string;
  readonly env: ProjectHostOptions['env'];
  readonly manifests: ManifestReader;
  readonly agents: ProjectHostOptions['agents'];
  readonly sandboxOf: ProjectHostOptions['sandboxOf'];
  readonly onProgress: (text: string) => void;
  /** The dependencies that were installed here. */
  readonly snapshots: SnapshotStore;
  readonly redactor: Redactor;
  /** What the turns of runs used. */
  readonly usage: UsageLedger;
  /** What checks said about trees. */
  readonly verdicts: VerdictStore;
  /** Merges that were made, by what was merged onto what: who comes later is merged onto those before. */
  readonly merges = new RecentMap<string, MergeResult>(MERGES);
  readonly mergeCommits = new MergeCommits(this);
  readonly #repositories = new Map<string, Promise<BareRepository>>();
  readonly #pools = new Map<string, Promise<CheckoutPool>>();
  readonly #users = new Map<string, Promise<UserRepository>>();

  constructor(options: ProjectHostOptions) {
    this.home = options.home;
    this.host = options.host;
    this.queue = options.queue;
    this.env = options.env;
    this.manifests = options.manifests;
    this.usage = new UsageLedger(options.home);
    this.verdicts = new VerdictStore(options.home.verdicts);
    this.agents = options.agents;
    this.onProgress = options.onProgress ?? (() => undefined);
    this.snapshots = new SnapshotStore(options.home);
    this.redactor = options.redactor ?? environmentRedactor(options.env);
    this.sandboxOf = (manifest) => options.sandboxOf(manifest);
  }

  /** The project's own bare repository. */
  async bare(repository: RepositoryRef): Promise<BareRepository> {
    this.#requireHome(repository);
    return await once(this.#repositories, repository.id, async () => {
      makePrivateDirectory(this.home.repositories);
      return await BareRepository.open(path.join(this.home.repositories, `${repository.id}.git`));
    });
  }

  /** The pool of checkouts for checks in one backend; Docker's belong to another user than the local ones. */
  async pool(repository: RepositoryRef, sandbox: Sandbox): Promise<CheckoutPool> {
    return await once(this.#pools, `${repository.id}/${sandbox.backend}`, async () => {
      const directory = path.join(makePrivateDirectory(this.home.checkouts), repository.id, sandbox.backend);
      const owner = sandbox.fileOwner === undefined ? {} : { owner: sandbox.fileOwner };
      return new CheckoutPool({ bare: await this.bare(repository), directory, ...owner });
    });
  }

  /** The user's repository. Where it lies does not change during a run; its refs are read anew at each use. */
  async user(repository: RepositoryRef): Promise<UserRepository> {
    this.#requireHome(repository);
    return await once(this.#users, repository.path, () => inspectUserRepository(repository.path));
  }

  /** The directory of an attempt: its workspace, the agent's home, the task file. */
  attemptDirectory({ run, task, attempt }: Pick<AttemptRef, 'run' | 'task' | 'attempt'>): string {
    return path.join(this.taskDirectory(run, task), String(attempt));
  }

  /** The directory of all attempts at a task in a run. */
  taskDirectory(run: RunRef, task: string): string {
    return path.join(this.home.workspaces, run.repository.id, run.project, run.run, task);
  }

  /** What an attempt's steps are labelled with. */
  ownerOf({ run, task, attempt }: Pick<AttemptRef, 'run' | 'task' | 'attempt'>): StepOwner {
    return { project: run.project, run: run.run, task, attempt };
  }

  /** Who our commits are by. */
  signature(): Signature {
    return ourSignature();
  }

  #requireHome(repository: RepositoryRef): void {
    if (repository.host === this.host) return;
    throw new SignalboxError('environment', `repository ${repository.id} lies on host ${repository.host}, not here`, {
      hint: 'Start a worker there.',
    });
  }
}

/** Memoises by key what is made once; a failure is not kept. */
async function once<T>(made: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const known = made.get(key);
  if (known !== undefined) return await known;
  const making = make();
  made.set(key, making);
  making.catch(() => made.delete(key));
  return await making;
}
