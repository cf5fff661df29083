import { randomUUID } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';

import { z } from 'zod';

import { isSameProcess } from '../../activities/process-identity.ts';

const schema = z.object({
  version: z.literal(1),
  /** The server's process, and when it started; `null` after it was stopped. */
  process: z.object({ pid: z.number().int().positive(), started: z.string() }).nullable(),
  grpcPort: z.number().int(),
  uiPort: z.number().int(),
  cliVersion: z.string(),
  flagsDigest: z.string(),
  /** Whether a server ever answered with this data file: one that was killed while it made its tables never did. */
  served: z.boolean(),
});

/** What is known of the embedded server that runs, or ran last: its ports are kept, so that clients find it again. */
export type ServerState = z.infer<typeof schema>;

/** The recorded state, or `null` when there is none that can be read. */
export function readServerState(file: string): ServerState | null {
  try {
    return schema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return null;
  }
}

/** Replaces the state as a whole. */
export function writeServerState(file: string, state: ServerState): void {
  const draft = `${file}.${randomUUID()}`;
  writeFileSync(draft, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(draft, file);
}

/** The pid of the server, if the very process that was recorded still runs. */
export function livingPid(state: ServerState | null): number | null {
  if (!state?.process) return null;
  return isSameProcess(state.process.pid, state.process.started) ? state.process.pid : null;
}
