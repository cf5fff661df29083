import { createHash, randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { SignalboxError } from '../../core/failures.ts';
import { removeAll } from '../git/remove-tree.ts';
import { makePrivateDirectory } from '../home.ts';
import { codeOf, nameFullDisk, unlessMissing } from '../system-errors.ts';
import { checkSpec } from './step-environment.ts';
import type { StepResult, StepSpec } from './sandbox.ts';
import { signalOf } from './signals.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/;

const inputSchema = z.object({
  version: z.literal(1),
  name: z.string(),
  owner: z.object({ project: z.string(), run: z.string(), task: z.string(), attempt: z.number() }),
  execution: z.string(),
  digest: z.string(),
  outputLimit: z.number(),
  timeoutMs: z.number(),
});

/** What a step was asked to be: written once, before anything of it starts. */
export type StepInput = z.infer<typeof inputSchema>;

const exitSchema = z.object({
  /** Exit status by the shell's convention: 128 + n for signal n. `null`: it was lost with its engine or its machine. */
  status: z.number().int().nullable(),
  outOfMemory: z.boolean().optional(),
  startedAt: z.string().optional(),
  endedAt: z.string().optional(),
});

/** How a step ended, as it was recorded. */
export type StepExit = z.infer<typeof exitSchema>;

/** The names of the steps that have a record. What a worker that died had not made to the end is none. */
export function stepNames(steps: string): string[] {
  return (unlessMissing(() => readdirSync(steps)) ?? []).filter((name) => NAME.test(name));
}

/** A record that is not whole after so long was being made by a worker that died, milliseconds. */
const DRAFT_AGE = 3_600_000;

/** Removes what workers that died had not made to the end. */
export function dropDrafts(steps: string): void {
  for (const name of (unlessMissing(() => readdirSync(steps)) ?? []).filter((entry) => entry.startsWith('.'))) {
    const draft = path.join(steps, name);
    const madeAt = statSync(draft, { throwIfNoEntry: false })?.mtimeMs ?? Infinity;
    if (Date.now() - madeAt > DRAFT_AGE) rmSync(draft, { recursive: true, force: true });
  }
}

/** The part of a spec that makes a step what it is. Environment values, addresses and bounds may differ on re-attaching. */
export function stepDigest(spec: StepSpec): string {
  const content = [spec.kind, spec.command, spec.stdin, spec.workTree, spec.network];
  return createHash('sha256').update(JSON.stringify(content)).digest('hex');
}

/**
 * `<steps>/<name>/`: the record of one step, which outlives every process. `input.json` says what it is, `stdin` (unless
 * it is empty), `stdout` and `stderr` are its streams, `exit` how it ended, `ended` that somebody ended it, `limit` the bound
 * for which it was ended, `home` the directory that is $HOME while it runs. All writes are exclusive or by rename, so that
 * any number of workers may hold the same step.
 */
export class StepDirectory {
  readonly name: string;
  readonly path: string;

  /** @throws SignalboxError `usage` if the name could leave the directory */
  constructor(steps: string, name: string) {
    if (!NAME.test(name) || name === '.' || name === '..') {
      throw new SignalboxError('usage', `${JSON.stringify(name.slice(0, 80))} is no name for a step`);
    }
    this.name = name;
    this.path = path.join(steps, name);
  }

  /** The host path of one of the record's files. */
  file(name: string): string {
    return path.join(this.path, name);
  }

  /**
   * Makes the record, or finds it. A record is claimed by its first writer for ever.
   *
   * @throws SignalboxError `refused` if the name belongs to another execution or to other content; `usage` for a spec
   * that can't be run
   */
  claim(spec: StepSpec): StepInput {
    checkSpec(spec);
    const { name, owner, execution, outputLimit, timeoutMs } = spec;
    const wanted: StepInput = { version: 1, name, owner, execution, digest: stepDigest(spec), outputLimit, timeoutMs };
    const found = this.input() ?? this.create(wanted, spec.stdin);
    const differs = found.execution !== execution ? 'another execution' : 'other content';
    if (found.execution !== execution || found.digest !== wanted.digest) {
      throw new SignalboxError('refused', `step ${name} already exists with ${differs}; it is not attached to`, {
        hint: `look at ${this.path}; a new attempt gets a name of its own`,
      });
    }
    return found;
  }

  /** What the step was asked to be, or `null` if there is no such step. */
  input(): StepInput | null {
    const text = unlessMissing(() => readFileSync(this.file('input.json'), 'utf8'));
    return text === null ? null : inputSchema.parse(JSON.parse(text));
  }

  /** How the step ended, or `null` if it has not. */
  exit(): StepExit | null {
    const text = unlessMissing(() => readFileSync(this.file('exit'), 'utf8'));
    return text === null ? null : exitSchema.parse(JSON.parse(text));
  }

  /** Records how the step ended, unless that is known already. Returns what holds. */
  recordExit(exit: StepExit): StepExit {
    this.publish('exit', `${JSON.stringify(exit)}\n`);
    return this.exit() ?? exit;
  }

  /** Records that somebody ended the step; what has not started by now never will. */
  markEnded(): void {
    closeSync(nameFullDisk(this.path, () => openSync(this.file('ended'), 'a', 0o600)));
  }

  has(name: string): boolean {
    return existsSync(this.file(name));
  }

  /** Puts a complete file in place, unless there is one of that name: of several writers, the first one's stays. */
  publish(name: string, content: string): void {
    const draft = `${name}.${randomUUID()}`;
    nameFullDisk(this.path, () => {
      try {
        writeFileSync(this.file(draft), content, { mode: 0o600 });
        this.adopt(draft, name);
      } finally {
        this.drop(draft);
      }
    });
  }

  /** Gives a complete draft its name, unless there is a file of that name. */
  adopt(draft: string, name: string): void {
    try {
      linkSync(this.file(draft), this.file(name));
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
  }

  /** Removes files or directories of the record, if they are there. */
  drop(...names: readonly string[]): void {
    for (const name of names) removeShared(this.file(name));
  }

  /** Removes the step's $HOME. */
  removeHome(): void {
    try {
      rmdirSync(this.file('home'));
    } catch {
      this.drop('home');
    }
  }

  /** The result of a step whose exit is recorded. @throws SignalboxError `environment` if its output could not be kept */
  result(input: StepInput, exit: StepExit, attached: boolean): StepResult {
    const exitAt = statSync(this.file('exit')).mtime.toISOString();
    const supervised = unlessMissing(() => statSync(this.file('supervisor')).mtime.toISOString());
    const startedAt = exit.startedAt ?? supervised ?? exitAt;
    const endedAt = exit.endedAt ?? exitAt;
    const ended = this.has('ended');
    const timedOut =
      !ended && exit.status !== null && isTimeout(exit.status) && span(startedAt, endedAt) >= input.timeoutMs;
    const signal = exit.status === null ? null : signalOf(exit.status);
    return {
      exitCode: signal === null ? exit.status : null,
      signal,
      timedOut,
      outOfMemory: exit.outOfMemory ?? false,
      ended,
      lost: exit.status === null && !ended,
      startedAt,
      endedAt,
      stdoutPath: this.file('stdout'),
      stderrPath: this.file('stderr'),
      stdoutTruncated: this.bound('stdout', input.outputLimit),
      stderrTruncated: this.bound('stderr', input.outputLimit),
      attached,
    };
  }

  /** Cuts a recorded stream to the limit; tells whether anything is missing from it. */
  private bound(stream: 'stdout' | 'stderr', limit: number): boolean {
    const file = this.file(stream);
    if (this.has(`${stream}.failed`)) {
      throw new SignalboxError('environment', `the output of step ${this.name} could not be written to ${file}`, {
        hint: 'the disk is probably full: make room, then start the task again',
      });
    }
    const size = unlessMissing(() => statSync(file).size);
    if (size === null) writeFileSync(file, '', { mode: 0o600 });
    if (size === null || size <= limit) return this.has(`${stream}.truncated`);
    truncateSync(file, limit);
    this.publish(`${stream}.truncated`, '');
    return true;
  }

  /** Puts the whole record in place at once, by renaming a directory; somebody else's that is there already stays. */
  private create(wanted: StepInput, stdin: string): StepInput {
    const draft = path.join(path.dirname(this.path), `.${randomUUID()}`);
    nameFullDisk(this.path, () => {
      try {
        makePrivateDirectory(path.join(draft, 'home'));
        writeFileSync(path.join(draft, 'input.json'), `${JSON.stringify(wanted)}\n`, { mode: 0o600 });
        // In a container somebody else reads it; on the host the directory keeps others out.
        if (stdin !== '') writeFileSync(path.join(draft, 'stdin'), stdin, { mode: 0o644 });
        renameSync(draft, this.path);
      } catch (error) {
        rmSync(draft, { recursive: true, force: true });
        if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'EEXIST') throw error;
      }
    });
    return this.input() ?? wanted;
  }
}

/** Removes a file or a directory, whatever a step made of it, also while another worker does. */
export function removeShared(file: string): void {
  for (let tries = 100; ; tries -= 1) {
    try {
      removeAll(file);
      return;
    } catch (error) {
      // What the other one was faster with is gone, or moved to where it can be removed.
      const code = codeOf(error);
      if (tries === 0 || (code !== 'ENOENT' && code !== 'ENOTEMPTY')) throw error;
    }
  }
}

/** How `timeout`, or perl's alarm in its place, leaves: 124, or by KILL when TERM did not help, or by ALRM. */
function isTimeout(status: number): boolean {
  return status === 124 || status === 137 || status === 142;
}

/** Milliseconds between two times; file times are a clock tick coarse, so a tick is allowed for. */
function span(from: string, to: string): number {
  return Date.parse(to) - Date.parse(from) + 10;
}
