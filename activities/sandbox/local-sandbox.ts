import { stepName } from '../../core/ids.ts';
import type { StepOwner } from '../../core/ids.ts';
import type { Home } from '../home.ts';
import { environmentRedactor } from '../redaction/environment-secrets.ts';
import type { Redactor } from '../redaction/redactor.ts';
import { DirectoryChanges } from './directory-changes.ts';
import { hostFacts } from './host-facts.ts';
import { canLayerHere } from './local-layers.ts';
import { LocalProtection } from './local-protection.ts';
import { LocalStep } from './local-step.ts';
import { OutputTail } from './output-tail.ts';
import type { Remnant, RunStepOptions, Sandbox, StepResult, StepSpec } from './sandbox.ts';
import { StepDirectory, stepNames } from './step-directory.ts';
import type { LimitSettings } from './step-limits.ts';
import { withAllowedHosts } from './step-network.ts';
import { startSupervisor } from './supervisor.ts';

/** How long nothing is looked at when the system reports no change, in milliseconds. */
const SLOW_POLL = 1000;
/** How long the pipes of a step whose command is over may stay open before we look who holds them. */
const PIPE_GRACE = 50;

/** What a {@link LocalSandbox} needs. */
export interface LocalSandboxOptions {
  home: Home;
  /** Where the model gateway listens on loopback. */
  gatewayUrl: string;
  /** The worker's environment: PATH, LANG and TZ of a step come from it, and nothing else. */
  env: Readonly<Record<string, string | undefined>>;
  /** Keeps secrets out of what steps print; by default those of `env` and of well-known shapes. */
  redactor?: Redactor;
  /** What one step may use. */
  limits?: LimitSettings;
  /** `off`: not in bubblewrap, even where that works. */
  bubblewrap?: 'auto' | 'off';
  /** The gateway's Unix socket, for steps with a network of their own. */
  gatewaySocket?: string;
}

/**
 * Steps as process groups of the host, each under a supervisor of its own that outlives the worker, within the bounds that
 * this host offers (see {@link LocalProtection}). It is no boundary like a container: a step sees the host's files, and
 * without bubblewrap and control groups may hide from {@link LocalSandbox.end} by clearing its environment in a session of
 * its own.
 */
export class LocalSandbox implements Sandbox {
  readonly backend = 'local';
  readonly gatewayUrl: string;
  private readonly options: LocalSandboxOptions;
  private layering: Promise<boolean> | null = null;
  private protecting: Promise<LocalProtection> | null = null;
  private readonly redactor: Redactor;

  constructor(options: LocalSandboxOptions) {
    this.options = options;
    this.redactor = options.redactor ?? environmentRedactor(options.env);
    this.gatewayUrl = options.gatewayUrl;
  }

  async canLayer(): Promise<boolean> {
    this.layering ??= canLayerHere(this.options.home, this.options.env['PATH']);
    return await this.layering;
  }

  /** What keeps steps within bounds here, tried once. */
  async protection(): Promise<LocalProtection> {
    this.protecting ??= LocalProtection.find(this.options);
    this.protecting.catch(() => (this.protecting = null));
    return await this.protecting;
  }

  async likeStep(command: readonly string[], workTree: string): Promise<readonly string[]> {
    return (await this.protection()).like(command, workTree);
  }

  fingerprint(commands: readonly string[]): Promise<string> {
    return Promise.resolve(JSON.stringify(['local', ...hostFacts(this.options.env['PATH'], commands)]));
  }

  async run(spec: StepSpec, options: RunStepOptions = {}): Promise<StepResult> {
    options.signal?.throwIfAborted();
    const directory = new StepDirectory(this.options.home.steps, spec.name);
    const input = directory.claim(spec);
    const changes = new DirectoryChanges(directory.path);
    const tail = options.onStdout && new OutputTail(directory.file('stdout'), input.outputLimit, options.onStdout);
    try {
      const step = new LocalStep(directory);
      const { home, env } = this.options;
      const ready = withAllowedHosts(home, directory, spec, this.gatewayUrl);
      const protection = await this.protection();
      const started = step.isUnstarted()
        ? await startSupervisor(directory, ready, { env, protection, redactor: this.redactor })
        : null;
      for (let quiet = started === null; ;) {
        tail?.pump();
        const exit = directory.exit() ?? (quiet ? await step.examine(started) : null);
        if (exit !== null) {
          tail?.pump();
          return directory.result(input, await step.close(exit), step.supervisor()?.pid !== started?.pid);
        }
        quiet = !(await changes.next(step.isCommandOver() ? PIPE_GRACE : SLOW_POLL, options.signal));
      }
    } finally {
      changes.close();
      tail?.close();
    }
  }

  async end(name: string): Promise<void> {
    const directory = new StepDirectory(this.options.home.steps, name);
    if (directory.input() === null) return;
    await new LocalStep(directory).end();
  }

  async closeAttempt(owner: StepOwner): Promise<void> {
    const prefix = stepName(owner, '');
    for (const name of this.names()) if (name.startsWith(prefix)) await this.end(name);
  }

  list(): Promise<{ name: string; owner: StepOwner; execution: string }[]> {
    const running = this.names().flatMap((name) => {
      const directory = new StepDirectory(this.options.home.steps, name);
      const input = directory.has('exit') ? null : directory.input();
      if (input === null || !new LocalStep(directory).isRunning()) return [];
      return [{ name, owner: input.owner, execution: input.execution }];
    });
    return Promise.resolve(running);
  }

  /** Steps without an end: those that run, and those whose supervisor, or whose worker before it started one, is gone. */
  remnants(): Promise<Remnant[]> {
    const open = this.names().flatMap((name) => {
      const directory = new StepDirectory(this.options.home.steps, name);
      // Steps in containers have their records here as well.
      const input = directory.has('exit') || directory.has('once') ? null : directory.input();
      if (input === null) return [];
      const { owner, execution } = input;
      return [{ what: `step ${name}`, owner, execution, forgotten: false, remove: () => this.end(name) }];
    });
    return Promise.resolve(open);
  }

  private names(): string[] {
    return stepNames(this.options.home.steps);
  }
}
