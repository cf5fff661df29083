import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { SignalboxError } from '../../core/failures.ts';
import type { StepOwner } from '../../core/ids.ts';
import type { StepNetwork } from '../../core/step-network.ts';
import { mayReachHosts } from '../models/egress-grant.ts';
import { environmentRedactor } from '../redaction/environment-secrets.ts';
import type { Redactor } from '../redaction/redactor.ts';
import { ContainerLogs } from './container-logs.ts';
import { dockerRemnants } from './docker-remnants.ts';
import { DockerStep } from './docker-step.ts';
import { answerOf, engineFailure, engineStatus, unlessStatus } from './engine.ts';
import { canLayer } from './layer-probe.ts';
import { containerName, labelFilter, ownerLabels, sidecarName, stepOfLabels, stepSidecarName } from './labels.ts';
import { OutputTail } from './output-tail.ts';
import type { Remnant, RunStepOptions, Sandbox, StepResult, StepSpec } from './sandbox.ts';
import { ensureSidecar, SIDECAR_PORT } from './sidecar.ts';
import { stepContainer } from './step-container.ts';
import type { ContainerSettings } from './step-container.ts';
import { StepDirectory } from './step-directory.ts';
import type { StepInput } from './step-directory.ts';
import { withAllowedHosts } from './step-network.ts';
import { stepSecrets } from './step-environment.ts';

/** Milliseconds before the engine is asked again about a container that should have ended. */
const LOOK_AGAIN = 200;

/** What a {@link DockerSandbox} needs. */
export interface DockerSandboxOptions extends ContainerSettings {
  engine: Docker;
  /** The gateway's Unix socket on the host; without it, steps that are to reach it are refused. */
  gatewaySocket?: string;
  /** Called when the engine has lost the image: brings exactly that one back, or throws what a person should do. */
  restoreImage?: () => Promise<void>;
  /** Keeps secrets out of what is kept of steps' output; by default those of `env` and of well-known shapes. */
  redactor?: Redactor;
}

/**
 * Steps as containers, one each. The engine's state says where a step stands (absent, created, running, exited), and the
 * step directory's exit record, once there, outranks it; so a crash between any two calls is made good by the next one.
 */
export class DockerSandbox implements Sandbox {
  readonly backend = 'docker';
  readonly gatewayUrl = `http://127.0.0.1:${SIDECAR_PORT}`;
  readonly fileOwner: { uid: number; gid: number };
  private readonly options: DockerSandboxOptions;
  private layering: Promise<boolean> | null = null;
  /** Sidecars that are being started, by name. */
  private readonly sidecars = new Map<string, Promise<string>>();
  private readonly redactor: Redactor;

  constructor(options: DockerSandboxOptions) {
    this.options = options;
    this.fileOwner = options.user;
    this.redactor = options.redactor ?? environmentRedactor(options.env);
  }

  async canLayer(): Promise<boolean> {
    const attempt = (): Promise<boolean> => canLayer(this.options.engine, this.options);
    this.layering ??= this.asking('trying layers', () => this.withImage(attempt));
    // An engine that did not answer is asked again.
    this.layering.catch(() => (this.layering = null));
    return await this.layering;
  }

  /** The content of the image, and who owns what is made there. */
  async fingerprint(): Promise<string> {
    const { engine, image, user } = this.options;
    const look = () => engine.getImage(image).inspect();
    const { Id } = await this.asking(`image ${image}`, () => this.withImage(look));
    return JSON.stringify(['docker', Id, user]);
  }

  async run(spec: StepSpec, options: RunStepOptions = {}): Promise<StepResult> {
    options.signal?.throwIfAborted();
    const { directory, step } = this.open(spec.name);
    const input = directory.claim(spec);
    try {
      return await this.advance(spec, input, directory, step, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      throw engineFailure(error, `step ${spec.name}`);
    }
  }

  async end(name: string): Promise<void> {
    const { directory, step } = this.open(name);
    const input = directory.input();
    if (input === null) return;
    directory.markEnded();
    await this.asking(`ending step ${name}`, async () => {
      let killed = false;
      while (directory.exit() === null) {
        const state = (await step.inspect())?.State;
        if (state?.Running === true) {
          if (killed) await sleep(LOOK_AGAIN);
          await step.kill();
          killed = true;
        } else if (state === undefined || state.Status === 'created') {
          directory.recordExit({ status: null });
        } else {
          await step.collect(state, this.logs(step, input, undefined, this.redactor));
        }
      }
      await this.clear(name, directory, step);
    });
  }

  openAttempt(attempt: Pick<StepSpec, 'owner' | 'execution'>, network: StepNetwork): void {
    const { home, gatewaySocket } = this.options;
    if (network === 'none' || network === 'bridge' || gatewaySocket === undefined) return;
    // Its first step asks again, and is told what is wrong.
    this.sidecar(attempt, sidecarName(home, attempt.owner), gatewaySocket).catch(() => undefined);
  }

  async closeAttempt(owner: StepOwner): Promise<void> {
    const { home } = this.options;
    await this.sidecars.get(sidecarName(home, owner))?.catch(() => undefined);
    await this.asking(`closing an attempt of ${owner.task}`, async () => {
      for (const { name } of await this.containers(ownerLabels(home, owner), true)) await this.end(name);
      await this.removeSidecar(sidecarName(home, owner));
    });
  }

  async list(): Promise<{ name: string; owner: StepOwner; execution: string }[]> {
    return await this.asking('listing steps', () =>
      this.containers({ 'signalbox.home': this.options.home.root }, false),
    );
  }

  async remnants(): Promise<Remnant[]> {
    const { engine, home } = this.options;
    const found = await this.asking('looking for what was left behind', () => dockerRemnants(engine, home));
    return found.map(({ step, ...remnant }) => ({
      ...remnant,
      remove: async () => {
        if (step !== null && !remnant.forgotten) await this.end(step);
        await this.asking(`removing ${remnant.what}`, remnant.remove);
      },
    }));
  }

  /** Moves the step on from whatever state it is in, until its exit is recorded. */
  private async advance(
    spec: StepSpec,
    input: StepInput,
    directory: StepDirectory,
    step: DockerStep,
    options: RunStepOptions,
  ): Promise<StepResult> {
    const logs = this.logs(step, input, options.onStdout, this.redactor.with(stepSecrets(spec)));
    let started = false;
    let followed = false;
    for (let exit = directory.exit(); ; exit = directory.exit()) {
      options.signal?.throwIfAborted();
      if (exit !== null) {
        await this.clear(spec.name, directory, step);
        this.deliverRest(directory, input, logs, options);
        return directory.result(input, exit, !started);
      }
      const state = (await step.inspect())?.State;
      const given = directory.has('ended');
      if (state === undefined && (given || directory.has('started'))) {
        directory.recordExit({ status: null });
      } else if (state === undefined) {
        const ready = withAllowedHosts(this.options.home, directory, spec, this.gatewayUrl);
        await this.withImage(async () => {
          const network = await this.network(spec);
          await step.create(stepContainer(this.options, directory, ready, network));
        });
      } else if (state.Status === 'created') {
        if (given) directory.recordExit({ status: null });
        else started = (await step.start()) || started;
      } else if (state.Running) {
        // A stream that ends before its container does, as when the engine restarts, is taken up again.
        if (followed) await sleep(LOOK_AGAIN);
        followed = true;
        await logs.follow(options.signal);
      } else {
        await step.collect(state, logs);
      }
    }
  }

  private logs(
    { container }: DockerStep,
    { outputLimit }: StepInput,
    onStdout: RunStepOptions['onStdout'],
    redactor: Redactor,
  ): ContainerLogs {
    return new ContainerLogs({ container, limit: outputLimit, onStdout, redactor });
  }

  /** What another worker recorded while this one was reading, or before. */
  private deliverRest(directory: StepDirectory, input: StepInput, logs: ContainerLogs, options: RunStepOptions): void {
    if (options.onStdout === undefined) return;
    const rest = new OutputTail(directory.file('stdout'), input.outputLimit, options.onStdout, logs.delivered);
    try {
      rest.pump();
    } finally {
      rest.close();
    }
  }

  private async network(spec: StepSpec): Promise<string> {
    if (spec.network === 'none' || spec.network === 'bridge') return spec.network;
    const { home, gatewaySocket } = this.options;
    if (gatewaySocket === undefined) {
      throw new SignalboxError('environment', `step ${spec.name} needs the model gateway, and there is none`);
    }
    // Agents share their attempt's, which is closed with it. Checks of the train and a bootstrap outlive attempts.
    const shared = spec.kind === 'agent' || spec.network === 'gateway';
    const name = shared ? sidecarName(home, spec.owner) : stepSidecarName(home, spec.name);
    return `container:${await this.sidecar(spec, name, gatewaySocket)}`;
  }

  private async sidecar(of: Parameters<typeof ensureSidecar>[2], name: string, socket: string): Promise<string> {
    const { engine } = this.options;
    const starting = this.sidecars.get(name) ?? ensureSidecar(engine, this.options, of, name, socket);
    this.sidecars.set(name, starting);
    try {
      return await starting;
    } finally {
      this.sidecars.delete(name);
    }
  }

  /** Removes the containers of a step whose exit is recorded, if they were not removed yet. */
  private async clear(name: string, directory: StepDirectory, step: DockerStep): Promise<void> {
    if (directory.has('once') && mayReachHosts(directory))
      await this.removeSidecar(stepSidecarName(this.options.home, name));
    await step.clear();
  }

  private async removeSidecar(name: string): Promise<void> {
    const sidecar = this.options.engine.getContainer(name);
    await unlessStatus(sidecar.remove({ force: true, v: true }), 404, 409);
  }

  /** The steps whose containers carry exactly these labels; with `all`, those that do not run as well. */
  private async containers(labels: Record<string, string>, all: boolean): Promise<ReturnType<typeof stepsOf>> {
    const { engine } = this.options;
    return stepsOf(await answerOf(engine.listContainers({ all, filters: labelFilter(labels) })));
  }

  private open(name: string): { directory: StepDirectory; step: DockerStep } {
    const { engine, home } = this.options;
    const directory = new StepDirectory(home.steps, name);
    return { directory, step: new DockerStep(engine, directory, containerName(home, name)) };
  }

  /** Does something with the image; where the engine has lost it, once more when it is back. */
  private async withImage<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (engineStatus(error) !== 404 || !/no such image/i.test(String(error))) throw error;
      if (this.options.restoreImage === undefined) throw missingImage(this.options.image);
      await this.options.restoreImage();
      return await work();
    }
  }

  private async asking<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw engineFailure(error, what);
    }
  }
}

function stepsOf(containers: readonly Docker.ContainerInfo[]): NonNullable<ReturnType<typeof stepOfLabels>>[] {
  return containers.flatMap(({ Labels }) => stepOfLabels(Labels) ?? []);
}

function missingImage(image: string): SignalboxError {
  return new SignalboxError('environment', `there is no image ${image}`, {
    hint: 'let Signalbox build it, or name another one in sandbox.image, or use --backend local',
  });
}
