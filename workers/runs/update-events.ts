import * as z from 'zod';
import type { RunEvent } from '../../core/run-events.ts';

const task = z.string();
const inputs = z.record(z.string(), z.union([z.object({ value: z.string() }), z.object({ sealed: z.string() })]));
const decision = z.object({
  wait: z.number(),
  outcome: z.enum(['approve', 'reject', 'retry', 'answer']),
  text: z.string().nullable(),
  inputs,
  by: z.enum(['person', 'deadline']),
});
const manifest = z.object({ sha256: z.string(), bytes: z.number() });

const updates = z.discriminatedUnion('type', [
  z.object({ type: z.literal('decideTask'), task, decision }),
  z.object({ type: z.literal('retryTask'), task, guidance: z.string().nullable() }),
  z.object({ type: z.literal('cancelTask'), task }),
  z.object({ type: z.literal('skipTask'), task, satisfied: z.boolean() }),
  z.object({ type: z.literal('setTask'), task, priority: z.number() }),
  z.object({ type: z.literal('setRun'), maxParallel: z.number() }),
  z.object({ type: z.literal('addTasks'), manifest }),
]);

/** What an accepted update means to its run; empty for one that is not ours. @param at milliseconds since the epoch */
export function updateEvents(name: string, payload: unknown, at: number): RunEvent[] {
  if (typeof payload !== 'object' || payload === null) return [];
  const parsed = updates.safeParse({ ...payload, type: name });
  return parsed.success ? [{ ...parsed.data, at }] : [];
}
