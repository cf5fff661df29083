import type { Payload, PayloadCodec } from '@temporalio/common';
import type { Redactor } from '../redaction/redactor.ts';

/**
 * The last line before the server: no JSON payload goes out with a secret in it, whoever made it. What a workflow was told
 * went through it before, so that a replay finds what was decided on.
 */
export class RedactingCodec implements PayloadCodec {
  readonly #redactor: Redactor;

  constructor(redactor: Redactor) {
    this.#redactor = redactor;
  }

  encode(payloads: Payload[]): Promise<Payload[]> {
    return Promise.resolve(payloads.map((payload) => this.#clean(payload)));
  }

  decode(payloads: Payload[]): Promise<Payload[]> {
    return Promise.resolve(payloads);
  }

  #clean(payload: Payload): Payload {
    if (
      !Buffer.from(payload.metadata?.['encoding'] ?? [])
        .toString('utf8')
        .startsWith('json/')
    )
      return payload;
    const text = Buffer.from(payload.data ?? []).toString('utf8');
    const clean = this.#redactor.json(text);
    return clean === text ? payload : { ...payload, data: Buffer.from(clean) };
  }
}
