import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { GatewayLedger } from '../../../activities/models/gateway-ledger.ts';
import type { Usage } from '../../../core/usage.ts';

const STEP = 'demo..r1..001..1..turn-1';
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'signalbox-ledger-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function used(input: number, output = 0): Usage {
  return { input_tokens: input, cached_input_tokens: 0, output_tokens: output, cost_usd: 0 };
}

describe('the gateway’s ledger', () => {
  test('counts on where the gateways before it stopped, each response once, whoever of them counted it', () => {
    const responses = fc.array(
      fc.record({ gateway: fc.nat(2), tokens: fc.nat(1000), model: fc.constantFrom('', 'm') }),
    );
    let round = 0;
    fc.assert(
      fc.property(responses, (list) => {
        const place = path.join(directory, String((round += 1)));
        // They live at the same time, as one that drains does beside its successor.
        const gateways = ['a', 'b', 'c'].map((name) => new GatewayLedger(place, name));
        for (const { gateway, tokens, model } of list) gateways[gateway]!.response(STEP, used(tokens), model);
        const sum = list.reduce((all, { tokens }) => all + tokens, 0);
        for (const ledger of [...gateways, new GatewayLedger(place, 'd')])
          expect(ledger.of(STEP).usage).toEqual(used(sum));
      }),
      { numRuns: 50 },
    );
  });

  test('knows nothing of a step that never asked, and mixes no two steps up', () => {
    const ledger = new GatewayLedger(directory, 'a');
    ledger.response('p..r..1..1..turn-1', used(5), 'm');
    ledger.request('p..r..1..1..turn-10');
    expect(ledger.of('p..r..1..1..turn-10')).toEqual({ requests: 1, usage: used(0), models: {} });
    expect(new GatewayLedger(directory, 'b').of('p..r..1..1..turn-2')).toEqual({
      requests: 0,
      usage: used(0),
      models: {},
    });
  });

  test('reads past a file that a power failure emptied, and leaves no drafts', () => {
    new GatewayLedger(directory, 'a').response(STEP, used(1, 2), 'm');
    new GatewayLedger(directory, 'b').response(STEP, used(3), 'm');
    truncateSync(path.join(directory, STEP, 'a.json'));
    expect(new GatewayLedger(directory, 'c').of(STEP).usage).toEqual(used(3));
    expect(readdirSync(path.join(directory, STEP)).sort()).toEqual(['a.json', 'b.json']);
  });

  test('goes by the line before one that was cut, and counts on after it', () => {
    new GatewayLedger(directory, 'a').response(STEP, used(1), 'm');
    appendFileSync(path.join(directory, STEP, 'a.json'), '\n{"requests":0,"usage":{"inp');
    const next = new GatewayLedger(directory, 'a');
    expect(next.of(STEP).usage).toEqual(used(1));
    next.response(STEP, used(2), 'm');
    expect(new GatewayLedger(directory, 'b').of(STEP).usage).toEqual(used(3));
  });

  test('keeps its files short, however many responses there are', () => {
    const ledger = new GatewayLedger(directory, 'a');
    for (let response = 0; response < 1000; response += 1) ledger.response(STEP, used(1), 'm');
    expect(statSync(path.join(directory, STEP, 'a.json')).size).toBeLessThan(70_000);
    expect(new GatewayLedger(directory, 'b').of(STEP).usage).toEqual(used(1000));
  });

  test('counts in memory what the disk does not take, and brings it there later', () => {
    const ledger = new GatewayLedger(path.join(directory, 'usage'), 'a');
    writeFileSync(path.join(directory, 'usage'), 'in the way');
    expect(() => ledger.response(STEP, used(7), 'm')).toThrow();
    rmSync(path.join(directory, 'usage'));
    expect(ledger.of(STEP).usage).toEqual(used(7));
    ledger.response(STEP, used(1), 'm');
    expect(new GatewayLedger(path.join(directory, 'usage'), 'b').of(STEP).usage).toEqual(used(8));
  });
});
