import { createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

import { makePrivateDirectory, type Home } from '../home.ts';
import { gatewayLayout } from './gateway-layout.ts';
import type { Endpoints } from './upstream.ts';

const PREFIX = 'sbx1';

/** The home's secret for tokens: made once, 32 random bytes, mode 0600. */
export function gatewaySecret(home: Home): Buffer {
  const layout = gatewayLayout(home);
  makePrivateDirectory(layout.directory);
  try {
    return readFileSync(layout.secret);
  } catch {
    // Two processes may come here at once: a link of a complete file lets exactly one win.
    const draft = `${layout.secret}.${randomUUID()}`;
    writeFileSync(draft, randomBytes(32), { mode: 0o600 });
    try {
      linkSync(draft, layout.secret);
    } catch {
      // Somebody else was first; theirs is read below.
    }
    rmSync(draft, { force: true });
    return readFileSync(layout.secret);
  }
}

/** What a token is good for: asking models, or reaching hosts that are allowed. Commands of an agent get the latter only. */
export type TokenUse = 'step' | 'egress';

/** The token with which a step asks the gateway: it names the step, and nobody can make one for another step or use. */
export function stepToken(home: Home, stepName: string, use: TokenUse = 'step'): string {
  const name = Buffer.from(stepName, 'utf8').toString('base64url');
  return `${PREFIX}.${name}.${mac(gatewaySecret(home), use, stepName)}`;
}

/** The step that a token was made for, or `null` when the token is none of ours, or for another use. */
export function stepOfToken(secret: Buffer, token: string, use: TokenUse = 'step'): string | null {
  const [prefix, name, signature, ...rest] = token.split('.');
  if (prefix !== PREFIX || name === undefined || signature === undefined || rest.length > 0) return null;
  const step = Buffer.from(name, 'base64url').toString('utf8');
  return sameText(signature, mac(secret, use, step)) ? step : null;
}

/** The token of Signalbox itself, for the gateway's own pages. */
export function ownerToken(secret: Buffer): string {
  return mac(secret, 'owner', '');
}

/** Tells two sets of upstreams and keys apart without telling any key. */
export function endpointsFingerprint(secret: Buffer, { openai, anthropic }: Endpoints): string {
  const all = [openai.url, openai.apiKey, anthropic.url, anthropic.apiKey];
  return mac(secret, 'key', JSON.stringify(all)).slice(0, 16);
}

/** Compares without telling by its time where the difference is. */
export function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

function mac(secret: Buffer, purpose: string, text: string): string {
  return createHmac('sha256', secret).update(`${purpose}\0${text}`).digest('base64url');
}
