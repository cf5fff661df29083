import { request } from 'node:http';

import { z } from 'zod';

import { SignalboxError } from '../../core/failures.ts';
import type { StepUse } from '../../core/metered-usage.ts';
import type { Home } from '../home.ts';
import { gatewaySecret, ownerToken } from './gateway-secret.ts';

const usage = z.object({
  input_tokens: z.number(),
  cached_input_tokens: z.number(),
  output_tokens: z.number(),
  cost_usd: z.number(),
});
const stepUse = z.object({ requests: z.number(), usage, models: z.record(z.string(), usage) });
const status = z.object({
  pid: z.number().int().positive(),
  socket: z.string(),
  url: z.string(),
  upstream: z.string(),
  keyFingerprint: z.string(),
  active: z.number().int(),
  total: stepUse,
});

/** What a running gateway says of itself. */
export type GatewayReply = z.infer<typeof status>;

/** Asks the gateway behind a socket who it is; `null` when none answers within a second. */
export async function askGatewayStatus(home: Home, socket: string): Promise<GatewayReply | null> {
  const parsed = status.safeParse(await ask(home, socket, '/signalbox/status'));
  return parsed.success ? parsed.data : null;
}

/** Asks the gateway behind a socket what a step used; `null` when none answers within a second. */
export async function askStepUse(home: Home, socket: string, step: string): Promise<StepUse | null> {
  const page = `/signalbox/usage?step=${encodeURIComponent(step)}`;
  const parsed = stepUse.safeParse(await ask(home, socket, page));
  return parsed.success ? parsed.data : null;
}

async function ask(home: Home, socketPath: string, path: string): Promise<unknown> {
  const headers = { authorization: `Bearer ${ownerToken(gatewaySecret(home))}` };
  try {
    const text = await new Promise<string>((resolve, reject) => {
      const asked = request({ socketPath, path, headers, agent: false, timeout: 1000 }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
      });
      asked.on('timeout', () => asked.destroy());
      asked.on('error', reject);
      // After an answer this changes nothing; without one it is the end of waiting.
      asked.on('close', () => reject(new SignalboxError('environment', 'the gateway closed the connection')));
      asked.end();
    });
    return JSON.parse(text);
  } catch {
    // Nobody listens, or it is no gateway of this home: both mean that there is none.
    return undefined;
  }
}
