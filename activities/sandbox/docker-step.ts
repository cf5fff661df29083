import type Docker from 'dockerode';
import type { Container, ContainerInspectInfo } from 'dockerode';
import type { ContainerLogs } from './container-logs.ts';
import { unlessStatus } from './engine.ts';
import type { StepDirectory, StepExit } from './step-directory.ts';
import { dropSecrets } from './step-secrets.ts';

/** One step of the Docker backend: its container, brought forward from whatever state it is found in. */
export class DockerStep {
  private readonly engine: Docker;
  private readonly directory: StepDirectory;
  readonly container: Container;

  constructor(engine: Docker, directory: StepDirectory, containerName: string) {
    this.engine = engine;
    this.directory = directory;
    this.container = engine.getContainer(containerName);
  }

  /** The container as the engine knows it, or `null` if it knows none. */
  async inspect(): Promise<ContainerInspectInfo | null> {
    return await unlessStatus(this.container.inspect(), 404);
  }

  /** Makes the container, unless the step was ended before it began or somebody else makes it at the same time. */
  async create(options: Docker.ContainerCreateOptions): Promise<void> {
    await unlessStatus(this.engine.createContainer(options), 409);
  }

  /**
   * Starts the container that was made for the step. Returns whether this call did.
   *
   * @throws SignalboxError `environment` if it cannot be started; it is then removed, so that a later call may try again
   */
  async start(): Promise<boolean> {
    // From here on a container that is missing is one that was lost, not one that is yet to be made.
    this.directory.publish('started', '');
    try {
      // 304: it was started already; 404: it was removed, so the caller looks again.
      const started = this.container.start().then(() => true);
      return (await unlessStatus(started, 304, 404)) ?? false;
    } catch (error) {
      if ((await this.inspect())?.State.Status !== 'created') throw error;
      this.directory.drop('started');
      await this.remove();
      throw error;
    }
  }

  /** Records the output and the exit of a container that has ended. */
  async collect(state: ContainerInspectInfo['State'], logs: ContainerLogs): Promise<StepExit> {
    const whole = await unlessStatus(
      logs.record(this.directory).then(() => true),
      404,
      409,
    );
    // It is gone or going: either somebody else has collected it, whose record then holds, or it is lost.
    if (whole === null) return this.directory.recordExit({ status: null });
    return this.directory.recordExit({
      status: this.isCutOff(state) ? null : state.ExitCode,
      outOfMemory: state.OOMKilled,
      startedAt: new Date(state.StartedAt).toISOString(),
      endedAt: new Date(state.FinishedAt).toISOString(),
    });
  }

  /**
   * Was the container ended by something that is neither the step nor us? A daemon that restarts kills what it ran, or finds it
   * dead after the machine was down: its status is then no word about the command, whose entry has noted no end, or another
   * one. The entry's files are ones that the step can write: faking them makes one failure look like another, and none a
   * success.
   */
  private isCutOff({ ExitCode, OOMKilled }: ContainerInspectInfo['State']): boolean {
    const began = this.directory.has('once/started');
    return began && !this.directory.has(`once/over-${ExitCode}`) && !OOMKilled && !this.directory.has('ended');
  }

  /** Kills the container; the engine answers when it has ended. */
  async kill(): Promise<void> {
    // 409: it is not running any more.
    await unlessStatus(this.container.kill({ signal: 'SIGKILL' }), 404, 409);
  }

  /** Removes the container of a step whose exit is recorded, if it was not removed yet. */
  async clear(): Promise<void> {
    if (!this.directory.has('once')) return;
    await this.remove();
    dropSecrets(this.directory);
    this.directory.removeHome();
    this.directory.drop('once', 'started');
  }

  /** Removes the container, whatever its state. */
  async remove(): Promise<void> {
    // 409: somebody else is removing it.
    await unlessStatus(this.container.remove({ force: true, v: true }), 404, 409);
  }
}
