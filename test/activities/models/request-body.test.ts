import { createServer, type IncomingMessage } from 'node:http';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { RequestBodies, type RequestBody } from '../../../activities/models/request-body.ts';
import { createGatewayBench, type GatewayBench } from '../../support/gateway-bench.ts';

let bench: GatewayBench;
beforeEach(() => void (bench = createGatewayBench()));
afterEach(() => bench.close());

/** Sends bodies of so many bytes, one after the other, to a server that keeps them. */
async function keep(bodies: RequestBodies, sizes: readonly number[]): Promise<RequestBody[]> {
  const kept: RequestBody[] = [];
  const url = await bench.listen(
    createServer((incoming: IncomingMessage, response) => {
      void bodies.with(incoming, (body) => {
        kept.push(body);
        incoming.resume();
        response.end();
        return Promise.resolve();
      });
    }),
  );
  for (const size of sizes) await (await fetch(url, { method: 'POST', body: Buffer.alloc(size) })).text();
  return kept;
}

test('a body is kept whole while there is room, and the room is free again when the request is over', async () => {
  const kept = await keep(new RequestBodies(1_000_000), [900_000, 900_000, 0]);
  expect(kept.map(({ kept: { length }, more }) => [length, more])).toEqual([
    [900_000, false],
    [900_000, false],
    [0, false],
  ]);
});

test('a body for which there is no room is left to be read once', async () => {
  const [first] = await keep(new RequestBodies(100_000), [5_000_000]);
  expect(first?.more).toBe(true);
  expect(first?.kept.length).toBeLessThan(1_000_000);
});
