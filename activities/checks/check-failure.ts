import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { CheckFailure } from '../../core/checks.ts';
import { headAndTail } from '../../core/failures.ts';
import type { StepResult } from '../sandbox/sandbox.ts';

/** Characters of a failed check's output that travel on, into prompts and reports. */
const EVIDENCE_LIMIT = 6000;

/** A failure as it is kept in a file. */
export const checkFailureSchema: z.ZodType<CheckFailure> = z.object({
  check: z.string(),
  command: z.string(),
  exitCode: z.number().nullable(),
  signal: z.string().nullable(),
  timedOut: z.boolean(),
  outOfMemory: z.boolean(),
  reason: z.string().optional(),
  output: z.string(),
});

/** Describes a check that failed, with head and tail of what it printed. */
export async function checkFailure(
  check: { name: string; command: string },
  result: StepResult,
): Promise<CheckFailure> {
  return {
    check: check.name,
    command: check.command,
    exitCode: result.exitCode,
    signal: result.signal,
    timedOut: result.timedOut,
    outOfMemory: result.outOfMemory,
    output: await outputOf(result),
  };
}

/** Head and tail of what a step printed, a few KB at most, for prompts and reports. */
export async function outputOf(result: Pick<StepResult, 'stdoutPath' | 'stderrPath'>): Promise<string> {
  const streams = await Promise.all([result.stdoutPath, result.stderrPath].map((file) => readFile(file, 'utf8')));
  const output = streams
    .map((text) => text.trimEnd())
    .filter((text) => text !== '')
    .join('\n');
  return headAndTail(output, EVIDENCE_LIMIT);
}
