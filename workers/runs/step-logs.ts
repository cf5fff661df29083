import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import type { Home } from '../../activities/home.ts';
import { stepName } from '../../core/ids.ts';

const exitSchema = z.object({ status: z.number().nullable() });

/** The record of one step on this host. */
export interface StepLog {
  /** `turn-1`, `verify-1-1`, … */
  step: string;
  attempt: number;
  kind: 'agent' | 'check';
  directory: string;
  stdout: string;
  stderr: string;
  /** Milliseconds since the epoch. */
  startedAt: number;
  /** It has ended. */
  ended: boolean;
  /** The exit status by the shell's convention; `null` while it runs, or when nobody knows it. */
  exitStatus: number | null;
  /** Its machine, its engine or somebody else ended it, and not on our word. */
  lost: boolean;
}

/** The steps of a task that left records on this host, in the order in which they started. */
export function stepLogs(home: Home, owner: { project: string; run: string; task: string }): StepLog[] {
  // Steps are told apart by their whole names, so that T-1 never finds what belongs to T-10.
  const prefix = [owner.project, owner.run, owner.task, ''].join('..');
  const names = existsSync(home.steps) ? readdirSync(home.steps) : [];
  return names
    .flatMap((name) => {
      const [attempt = '', step = '', ...more] = name.startsWith(prefix) ? name.slice(prefix.length).split('..') : [];
      if (!/^\d+$/.test(attempt) || step === '' || more.length > 0) return [];
      if (name !== stepName({ ...owner, attempt: Number(attempt) }, step)) return [];
      return [readStep(path.join(home.steps, name), Number(attempt), step)];
    })
    .sort((a, b) => a.attempt - b.attempt || a.startedAt - b.startedAt || (a.step < b.step ? -1 : 1));
}

function readStep(directory: string, attempt: number, step: string): StepLog {
  const exit = readJson(path.join(directory, 'exit'), exitSchema);
  return {
    step,
    attempt,
    kind: step.startsWith('turn-') ? 'agent' : 'check',
    directory,
    stdout: path.join(directory, 'stdout'),
    stderr: path.join(directory, 'stderr'),
    startedAt: timeOf(path.join(directory, 'input.json')) ?? timeOf(directory) ?? 0,
    ended: exit !== null,
    exitStatus: exit?.status ?? null,
    lost: exit?.status === null && !existsSync(path.join(directory, 'ended')),
  };
}

function timeOf(file: string): number | null {
  try {
    return statSync(file).mtimeMs;
  } catch {
    return null;
  }
}

function readJson<T>(file: string, schema: z.ZodType<T>): T | null {
  try {
    return schema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    // Not written yet, or half-way: it is read again at the next look.
    return null;
  }
}
