import { randomUUID } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';

import { z } from 'zod';

import { type GatewayLayout } from './gateway-layout.ts';

const state = z.object({
  version: z.literal(1),
  pid: z.number().int().positive(),
  /** See `processStartTime`. */
  started: z.string().nullable(),
  socket: z.string(),
  port: z.number().int(),
  upstream: z.string(),
  keyFingerprint: z.string(),
});

/** Where the gateway listens, or listened last, and who it is. Holds no secret. */
export type GatewayState = z.infer<typeof state>;

/** The recorded state, or `null` when there is none that can be read. */
export function readGatewayState(layout: GatewayLayout): GatewayState | null {
  try {
    return state.parse(JSON.parse(readFileSync(layout.state, 'utf8')));
  } catch {
    return null;
  }
}

/** Replaces the state as a whole. */
export function writeGatewayState(layout: GatewayLayout, next: GatewayState): void {
  const draft = `${layout.state}.${randomUUID()}`;
  writeFileSync(draft, `${JSON.stringify(next, null, 2)}\n`, { mode: 0o600 });
  renameSync(draft, layout.state);
}
