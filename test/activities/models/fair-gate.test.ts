import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';

import { FairGate, GateBusy, type Pass } from '../../../activities/models/fair-gate.ts';

const never = new AbortController().signal;
let gate: FairGate;

beforeEach(() => {
  jest.useFakeTimers();
  gate = new FairGate();
});
afterEach(() => void jest.useRealTimers());

/** Lets requests come in, in this order; tells in which order they get through, and keeps their passes. */
function enter(tasks: readonly string[]): { order: string[]; passes: Map<string, Pass> } {
  const entered = { order: [] as string[], passes: new Map<string, Pass>() };
  for (const [index, task] of tasks.entries()) {
    void gate.enter(task.slice(0, 1), never).then((pass) => {
      entered.order.push(task);
      entered.passes.set(`${task}/${index}`, pass);
    });
  }
  return entered;
}

async function settled(milliseconds = 0): Promise<void> {
  await jest.advanceTimersByTimeAsync(milliseconds);
}

/** A request is refused, and the gate closed for a second. */
async function close(headers: Record<string, string> = { 'retry-after': '1' }): Promise<void> {
  const pass = await gate.enter('x', never);
  pass.heard(429, headers);
  pass.leave();
}

describe('a gate', () => {
  test('lets everybody through at once as long as nobody is refused', async () => {
    const tasks = Array.from({ length: 200 }, () => 'a');
    const { order } = enter(tasks);
    await settled();
    expect(order).toHaveLength(200);
  });

  test('stays closed as long as the upstream asks, for all tasks', async () => {
    await close();
    const { order } = enter(['a', 'b']);
    await settled(999);
    expect(order).toEqual([]);
    await settled(2);
    expect(order).toHaveLength(1);
  });

  test('serves tasks in turns, so that one with many requests does not keep the others out', async () => {
    await close();
    const { order, passes } = enter(['a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'c2']);
    await settled(1001);
    for (let served = 0; served < 7; served += 1) {
      for (const pass of passes.values()) pass.leave();
      await settled();
    }
    expect(order).toEqual(['a1', 'b1', 'c1', 'a2', 'c2', 'a3', 'a4']);
  });

  test('lets few through after a refusal, and more with each good answer', async () => {
    await close();
    const { order, passes } = enter(Array.from({ length: 9 }, (_, index) => `a${index}`));
    await settled(1001);
    expect(order).toHaveLength(1);
    for (const expected of [2 + 1, 3 + 2 + 1]) {
      const inside = [...passes.entries()];
      passes.clear();
      for (const [, pass] of inside) {
        pass.heard(200, {});
        pass.leave();
      }
      await settled();
      expect(order.length).toBeGreaterThanOrEqual(expected);
    }
  });

  test('closes when an answer says that the allowance is used up', async () => {
    const pass = await gate.enter('a', never);
    pass.heard(200, { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '2s' });
    const { order } = enter(['a']);
    await settled(1999);
    expect(order).toEqual([]);
    await settled(2);
    expect(order).toEqual(['a']);
  });

  test('turns a request away that would have to wait for too long, and says for how long', async () => {
    await close({ 'retry-after': '120' });
    await expect(gate.enter('a', never)).rejects.toMatchObject({ retryAfter: 120 });
  });

  test('turns a request away that waited too long for others', async () => {
    await close();
    enter(['a']);
    await settled(1001);
    const refused = expect(gate.enter('b', never)).rejects.toBeInstanceOf(GateBusy);
    await settled(30_001);
    await refused;
    expect(gate.waiting).toBe(0);
  });

  test('lets no task fill the queue', async () => {
    await close();
    enter(Array.from({ length: 100 }, () => 'a'));
    await expect(gate.enter('a', never)).rejects.toBeInstanceOf(GateBusy);
    const { order } = enter(['b']);
    await settled(1001);
    expect([gate.waiting, order]).toEqual([100, []]);
  });

  test('forgets a request whose sandbox left', async () => {
    await close();
    const leaving = new AbortController();
    const gone = expect(gate.enter('a', leaving.signal)).rejects.toThrow('left');
    const { order } = enter(['b']);
    leaving.abort(new Error('left'));
    await gone;
    await settled(1001);
    expect([order, gate.waiting]).toEqual([['b'], 0]);
  });
});
