import { appendFileSync, existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

import { z } from 'zod';

import type { Egress } from '../../core/egress.ts';
import type { Home } from '../home.ts';
import { StepDirectory } from '../sandbox/step-directory.ts';
import { unlessMissing } from '../system-errors.ts';

/** Bytes of decisions that are kept of one step. */
const MOST_KEPT = 256 * 1024;
/** In the step's directory: what it may reach, and what was decided. */
const GRANT = 'egress.json';
const DECISIONS = 'egress.jsonl';

const egress = z.object({ allow: z.array(z.string()), private: z.array(z.string()) });
const decision = z.object({
  at: z.string(),
  /** As the step named it, with the port. */
  target: z.string(),
  allowed: z.boolean(),
  /** Why not. */
  reason: z.string().optional(),
});

/** What the gateway decided about one connection that a step asked for. */
export type EgressDecision = z.infer<typeof decision>;

/** Writes down what a step may reach. To be called when the step is claimed and not started; the first word holds. */
export function grantEgress(directory: StepDirectory, granted: Egress): void {
  directory.publish(GRANT, JSON.stringify(granted));
}

/** Was a step told of hosts that it may reach? */
export function mayReachHosts(directory: StepDirectory): boolean {
  return directory.has(GRANT);
}

/** What a step may reach; nothing, if nobody said so or the step is over. */
export function egressOf(home: Home, step: string): Egress {
  const directory = new StepDirectory(home.steps, step);
  const text = directory.has('exit') ? null : unlessMissing(() => readFileSync(directory.file(GRANT), 'utf8'));
  return text === null ? { allow: [], private: [] } : egress.parse(JSON.parse(text));
}

/** Keeps a decision with the step's record, as far as there is room. */
export function recordDecision(home: Home, step: string, made: EgressDecision): void {
  const file = new StepDirectory(home.steps, step).file(DECISIONS);
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  // A record that is gone must not come back.
  if (size > MOST_KEPT || !existsSync(path.dirname(file))) return;
  appendFileSync(file, `${JSON.stringify(made)}\n`, { mode: 0o600 });
}

/** The file in which decisions are kept, for whoever shows it. */
export function decisionsFile(stepDirectory: string): string {
  return path.join(stepDirectory, DECISIONS);
}

/** A line of that file; `null` if it is none. */
export function parseDecision(line: string): EgressDecision | null {
  try {
    return decision.parse(JSON.parse(line));
  } catch {
    return null;
  }
}
