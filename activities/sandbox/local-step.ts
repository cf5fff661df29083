import { readFileSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { SignalboxError } from '../../core/failures.ts';
import { isSameProcess } from '../process-identity.ts';
import { DirectoryChanges } from './directory-changes.ts';
import { unlessMissing } from '../system-errors.ts';
import { kill, killProcessesOfStep } from './processes.ts';
import type { StepDirectory, StepExit } from './step-directory.ts';
import { StepGroup } from './step-group.ts';
import type { StartedSupervisor } from './supervisor.ts';

/** Rounds of `end` that wait for the supervisor to record the exit before it is killed as well. */
const PATIENCE = 20;
/** Milliseconds within which a supervisor that has taken the step must have written who it is. */
const INTRODUCTION = 5000;

/** One step of the local backend, seen from outside: its supervisor, and whether it is over. */
export class LocalStep {
  private readonly directory: StepDirectory;
  private readonly group: StepGroup;

  constructor(directory: StepDirectory) {
    this.directory = directory;
    this.group = new StepGroup(directory);
  }

  /** The supervisor that runs the step, once it has said so. */
  supervisor(): { pid: number; started: string } | null {
    const text = unlessMissing(() => readFileSync(this.directory.file('supervisor'), 'utf8'));
    const [, pid, started] = /^(\d+) (.+)\n$/.exec(text ?? '') ?? [];
    return pid === undefined || started === undefined ? null : { pid: Number(pid), started: started.trim() };
  }

  isUnstarted(): boolean {
    return !this.directory.has('supervisor') && !this.directory.has('exit');
  }

  isRunning(): boolean {
    const supervisor = this.supervisor();
    return supervisor !== null && isSameProcess(supervisor.pid, supervisor.started);
  }

  /** Whether the command itself has ended, so that only what it left behind can still hold its output open. */
  isCommandOver(): boolean {
    // Before, only the room for it is there.
    return unlessMissing(() => readFileSync(this.directory.file('exit.tmp'), 'utf8'))?.startsWith('{') ?? false;
  }

  /**
   * The exit of a step in whose directory nothing happens, if there is one. What a finished command left behind with its
   * output open is killed; a step whose supervisor is gone without a word is recorded as lost.
   *
   * @param started the supervisor that the caller has just started, if it has
   */
  async examine(started: StartedSupervisor | null): Promise<StepExit | null> {
    if (this.isCommandOver()) await this.killProcesses();
    if (this.isUnstarted()) {
      if (started?.isOver() === true) throw this.notStarted();
      return null;
    }
    if (!this.isGone()) return null;
    return this.directory.exit() ?? (await this.recordLost());
  }

  /** Takes away what is left of a step whose exit is recorded, and tells how it ended. */
  async close(exit: StepExit): Promise<StepExit> {
    await this.killProcesses();
    await this.group.close();
    this.directory.removeHome();
    // A command that could not be given its limits never ran: nobody knows what it would have come to.
    if (this.group.isUnlimited()) return { ...exit, status: null };
    return { ...exit, outOfMemory: this.directory.has('oom') && exit.status !== 0 };
  }

  /** Ends the step with all its processes, and resolves when its exit is recorded. */
  async end(): Promise<void> {
    this.directory.markEnded();
    const changes = new DirectoryChanges(this.directory.path);
    try {
      for (let round = 0; !this.directory.has('exit'); round++) {
        const supervisor = this.supervisor();
        if (this.isGone() || this.isUnstarted()) {
          this.directory.recordExit({ status: null });
        } else if (supervisor !== null && isSameProcess(supervisor.pid, supervisor.started)) {
          this.killGroup();
          if (round > PATIENCE) kill(-supervisor.pid);
        }
        await this.killProcesses();
        if (!this.directory.has('exit')) await changes.next(50);
      }
      await this.killProcesses();
      await this.group.close();
    } finally {
      changes.close();
    }
  }

  private async killProcesses(): Promise<void> {
    const { name } = this.directory;
    await killProcessesOfStep(name, this.directory.file('home'), () => this.group.members());
  }

  /** Kills the command's group, which may hold what cleared its environment. Called only while the supervisor lives:
   * later the number may be somebody else's. */
  private killGroup(): void {
    const group = Number(unlessMissing(() => readFileSync(this.directory.file('group'), 'utf8')) ?? 0);
    if (group > 1) kill(-group);
  }

  /** Whether the supervisor has come and gone. One that could not even write who it is counts after a while. */
  private isGone(): boolean {
    const supervisor = this.supervisor();
    if (supervisor !== null) return !isSameProcess(supervisor.pid, supervisor.started);
    const since = unlessMissing(() => statSync(this.directory.file('supervisor')).mtimeMs);
    return since !== null && Date.now() - since > INTRODUCTION;
  }

  private notStarted(): SignalboxError {
    return new SignalboxError('environment', `the supervisor of step ${this.directory.name} could not start`, {
      hint: `check that ${this.directory.path} is writable and its disk not full`,
      retryable: true,
    });
  }

  private async recordLost(): Promise<StepExit> {
    await this.killProcesses();
    const { bavail } = await statfs(this.directory.path);
    if (bavail === 0) {
      throw new SignalboxError(
        'environment',
        `the disk is full: step ${this.directory.name} could not record its end`,
        {
          hint: 'make room, then start the task again',
        },
      );
    }
    return this.directory.recordExit({ status: null });
  }
}
