import type { IncomingMessage } from 'node:http';

/** The most of a request's body that is kept, so that it can be sent again. Prompts are a few MB at most. */
const MOST_KEPT = 32 * 1024 * 1024;

/** A request's body as far as it is kept in memory. */
export interface RequestBody {
  kept: Buffer;
  /** More is to come from the stream, which was paused: it can be sent once only. */
  more: boolean;
}

/** Reads a request's body to its end, or as far as is kept. @throws what the stream reports, such as that it broke off */
export async function readBody(incoming: IncomingMessage, most = MOST_KEPT): Promise<RequestBody> {
  const chunks: Buffer[] = [];
  let length = 0;
  return await new Promise<RequestBody>((resolve, reject) => {
    const done = (more: boolean): void => {
      incoming.off('data', take).off('end', end).off('error', reject).off('close', broken);
      if (more) incoming.pause();
      resolve({ kept: Buffer.concat(chunks), more });
    };
    const take = (chunk: Buffer): void => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > most) done(true);
    };
    const end = (): void => done(false);
    const broken = (): void => reject(incoming.errored ?? new Error('the request broke off'));
    incoming.on('data', take).on('end', end).on('error', reject).on('close', broken);
  });
}
