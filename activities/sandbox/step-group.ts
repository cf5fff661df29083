import { readFileSync, writeFileSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import path from 'node:path';
import { codeOf, unlessMissing } from '../system-errors.ts';
import type { StepDirectory } from './step-directory.ts';

/** The file of a step's record that names its control groups, a directory a line, and tells that it got its limits. */
const RECORD = 'groups';

/** The control groups of one step of the local backend: whatever its processes do, they do not leave them. */
export class StepGroup {
  private readonly step: StepDirectory;

  constructor(step: StepDirectory) {
    this.step = step;
  }

  /** Notes that the step is to have limits, and the groups that were made for it. Of several notes the first stays. */
  note(directories: readonly string[]): void {
    const text = directories.map((directory) => `${directory}\n`).join('');
    try {
      writeFileSync(this.step.file(RECORD), text, { mode: 0o600, flag: 'wx' });
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
  }

  /** Whether the step was to have limits, and ended before it had them: its command never ran. */
  isUnlimited(): boolean {
    return this.step.has(RECORD) && !this.lines().includes('limited');
  }

  /** The processes that are in one of the groups. */
  members(): number[] {
    const lists = this.directories().map((group) => readUnlessGone(path.join(group, 'cgroup.procs')));
    return [
      ...new Set(
        lists.flatMap((list) =>
          list
            .split('\n')
            .filter((line) => /^[1-9]/.test(line))
            .map(Number),
        ),
      ),
    ];
  }

  /** Notes whether the kernel killed one of the processes for want of memory, and removes the groups. All must be dead. */
  async close(): Promise<void> {
    const directories = this.directories();
    for (const directory of directories) {
      const events = ['memory.oom_control', 'memory.events'].map((name) => readUnlessGone(path.join(directory, name)));
      if (/^oom_kill [1-9]/m.test(events.join('\n')) && !this.step.has('oom')) this.step.publish('oom', '');
    }
    // Takes the kernel some milliseconds. What is gone already, or has a last process that is not quite, is no failure: a
    // worker of this home removes it later.
    await Promise.allSettled(directories.map((directory) => rmdir(directory)));
  }

  private directories(): string[] {
    return this.lines().filter((line) => path.isAbsolute(line));
  }

  private lines(): string[] {
    return (unlessMissing(() => readFileSync(this.step.file(RECORD), 'utf8')) ?? '').split('\n');
  }
}

function readUnlessGone(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
