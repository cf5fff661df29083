import type { IncomingMessage } from 'node:http';

/** The most of one request's body that is kept. Prompts are a few MB at most. */
const MOST_KEPT = 32 * 1024 * 1024;
/** The most that all requests together may keep: a sandbox may send as many as it likes. */
const MOST_OF_ALL = 512 * 1024 * 1024;

/** A request's body as far as it is kept in memory. */
export interface RequestBody {
  kept: Buffer;
  /** More is to come from the stream, which was paused: it can be sent once only. */
  more: boolean;
}

/** Keeps the bodies of requests, so that they can be sent again, as long as there is room. */
export class RequestBodies {
  readonly #most: number;
  #held = 0;

  constructor(most = MOST_OF_ALL) {
    this.#most = most;
  }

  /**
   * Does `work` with a request's body, read to its end or as far as it is kept.
   *
   * @throws what the stream reports, such as that it broke off
   */
  async with<T>(incoming: IncomingMessage, work: (body: RequestBody) => Promise<T>): Promise<T> {
    const chunks: Buffer[] = [];
    let length = 0;
    try {
      const more = await new Promise<boolean>((resolve, reject) => {
        const done = (unread: boolean): void => {
          incoming.off('data', take).off('end', end).off('error', reject).off('close', broken);
          if (unread) incoming.pause();
          resolve(unread);
        };
        const take = (chunk: Buffer): void => {
          chunks.push(chunk);
          length += chunk.length;
          this.#held += chunk.length;
          if (length > MOST_KEPT || this.#held > this.#most) done(true);
        };
        const end = (): void => done(false);
        const broken = (): void => reject(incoming.errored ?? new Error('the request broke off'));
        incoming.on('data', take).on('end', end).on('error', reject).on('close', broken);
      });
      return await work({ kept: Buffer.concat(chunks), more });
    } finally {
      this.#held -= length;
    }
  }
}
