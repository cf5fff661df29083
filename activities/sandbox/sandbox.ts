import type { StepOwner } from '../../core/ids.ts';
import type { StepNetwork } from '../../core/step-network.ts';

/** A directory of the host that a step sees. */
export interface Mount {
  /** Absolute path on the host. In Docker it appears at `target`; the local backend uses `source` itself. */
  source: string;
  /** Absolute path inside the sandbox; equal to `source` for what must have one path everywhere (object stores). */
  target: string;
  readOnly: boolean;
}

/** A directory inside that begins with what another holds. What a step writes there never reaches that other one. */
export interface Layer {
  /** Host path of what is shared; nobody writes to it. */
  source: string;
  /** Absolute path inside: a directory that is there already. */
  target: string;
  /** Host path of a directory for what is written, of one holder alone: its next step finds it there again. */
  changes: string;
}

/**
 * One process that an agent or a check is. Its `name` (see `stepName` in core) is its identity: running a step of a
 * name that already ran, or runs, attaches to it instead of starting it again.
 */
export interface StepSpec {
  name: string;
  owner: StepOwner;
  /**
   * The workflow execution that may attach: the first execution run id of the task's (or train's) workflow. A step found
   * under the same name with another `execution` or other content is never attached to; it is a failure.
   */
  execution: string;
  kind: 'agent' | 'check' | 'bootstrap';
  /** A shell command line (`sh -c`), as the user wrote it; or an argument vector that needs no shell. */
  command: string | readonly string[];
  /** Text for the standard input; empty means an empty input, never an open one. */
  stdin: string;
  /** The step's working directory on the host: the work tree, mounted writable. */
  workTree: string;
  /** Other directories. The local backend shows them where they lie, of what bubblewrap hides and keeps from writing. */
  mounts: readonly Mount[];
  /** Only for a sandbox that says {@link Sandbox.canLayer}. */
  layers?: readonly Layer[];
  /** The whole environment besides PATH, HOME, LANG, TERM and TZ, which the backend supplies. */
  env: Readonly<Record<string, string>>;
  /**
   * More of the environment, for checks only: values that are stored nowhere in clear, and that the step's recorded
   * output shows as `***`.
   */
  secrets?: Readonly<Record<string, string>>;
  /** Wall time in milliseconds, after which the step is ended; kept also when no worker lives. */
  timeoutMs: number;
  /** Most bytes kept of each output stream; the rest is read and dropped. */
  outputLimit: number;
  network: StepNetwork;
}

/** How a step ended. Exit code, signal, times and OOM come from the engine or the supervisor, never from the step. */
export interface StepResult {
  /** `null` when it was ended by a signal or lost. */
  exitCode: number | null;
  signal: string | null;
  timedOut: boolean;
  outOfMemory: boolean;
  /** Ended by `end()`, on a person's word or because its owner is closed. */
  ended: boolean;
  /** Nobody knows how it ended: its machine restarted, or its supervisor or container was removed. Its output may be cut. */
  lost: boolean;
  startedAt: string;
  endedAt: string;
  /** Host paths of the recorded output, each at most `outputLimit` bytes. */
  stdoutPath: string;
  stderrPath: string;
  stdoutTruncated: boolean;
  stderrTruncated: boolean;
  /** True when this call found the step already there and did not start it. */
  attached: boolean;
}

/** Options of {@link Sandbox.run}. */
export interface RunStepOptions {
  /** Called with each newly read piece of standard output, from the start of the step, once per reader. */
  onStdout?: (chunk: Buffer) => void;
  /** Aborting it stops reading and rejects with the signal's reason. The step itself goes on: detaching is not ending. */
  signal?: AbortSignal;
}

/** Something that a step or an attempt has in a sandbox, in whatever state: what a crash left behind is among them. */
export interface Remnant {
  /** For people: `step NAME`, `container NAME`, `volume NAME`. */
  what: string;
  owner: StepOwner;
  execution: string;
  /** Its step has no record any more, or it was a probe, so nobody will attach to it; a probe has no owner either. */
  forgotten: boolean;
  /** Ends what runs of it, and removes it; what a step printed is kept in its record. Does nothing when it is gone. */
  remove: () => Promise<void>;
}

/** Where agents and checks run. Every method may be called again after a crash of the caller at any point. */
export interface Sandbox {
  readonly backend: 'docker' | 'local';
  /** Who the steps' processes are on the host's disk, if not this process's own user: work trees must belong to them. */
  readonly fileOwner?: { uid: number; gid: number };
  /** Where a step with `network: 'gateway'` reaches the model gateway, such as `http://127.0.0.1:8790`. */
  readonly gatewayUrl: string;
  /** Can its steps have layers? Where not, directories that must not be shared are to be copied. */
  canLayer(): Promise<boolean>;
  /**
   * The argument vector that runs a command as steps are run here, without limits or a record: for finding out what works
   * there. Absent where nothing of the host runs in steps.
   */
  likeStep?(command: readonly string[], workTree: string): Promise<readonly string[]>;
  /** What besides the files decides what commands come to here, as one text: the image, or facts of the host. */
  fingerprint(commands: readonly string[]): Promise<string>;
  /** Starts the step, or attaches to it, and resolves when it has ended and every process of it is dead. */
  run(spec: StepSpec, options?: RunStepOptions): Promise<StepResult>;
  /**
   * Begins to make what the steps of an attempt share, so that it is there when its agent starts. Nothing depends on it: a
   * step makes what it misses.
   */
  openAttempt?(attempt: Pick<StepSpec, 'owner' | 'execution'>, network: StepNetwork): void;
  /** Ends the step with everything it started; does nothing when it is over or never was. Resolves when it is dead. */
  end(name: string): Promise<void>;
  /** What the sandboxes of an attempt share (the gateway's sidecar) is removed; running steps of it are ended first. */
  closeAttempt(owner: StepOwner): Promise<void>;
  /** Names of the steps that run now, with their owners. */
  list(): Promise<{ name: string; owner: StepOwner; execution: string }[]>;
  /** All that steps and attempts have here and that does not go by itself, steps before what they share. */
  remnants(): Promise<Remnant[]>;
}
