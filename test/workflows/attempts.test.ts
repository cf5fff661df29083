import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { RunDescription } from '../../core/description.ts';
import type { RunInput } from '../../core/workflow-inputs.ts';
import { FakeWorld } from '../support/fake-activities.ts';
import { createTimeSkippingEnvironment } from '../support/time-skipping.ts';
import { failureOf, runInput, startRun, withWorkers } from '../support/workflow-world.ts';

let env: TestWorkflowEnvironment;

beforeAll(async () => {
  env = await createTimeSkippingEnvironment();
});
afterAll(async () => {
  await env.teardown();
});

async function runToEnd(world: FakeWorld, settings: Partial<RunInput['settings']> = {}): Promise<RunDescription> {
  return await withWorkers(env, world, async () => await (await startRun(env, runInput(world, settings))).result());
}

async function runToFailure(world: FakeWorld): Promise<RunDescription> {
  return await withWorkers(env, world, async () => await failureOf(await startRun(env, runInput(world))));
}

describe('an agent’s error', () => {
  test('that a wait may mend is waited for in the same attempt, on the same thread, longer each time', async () => {
    const limited = { outcome: 'failed', error: 'rate_limit', reason: 'HTTP 429' } as const;
    const world = new FakeWorld([{ id: 'a' }], { a: { turns: [[limited, limited, limited, {}]] } });
    const before = await env.currentTimeMs();
    const result = await runToEnd(world);
    expect(result.tasks['a']).toMatchObject({ status: 'merged', attempts: 1, turns: 4 });
    expect(world.turns.map((turn) => turn.thread)).toEqual([null, 'thread-a', 'thread-a', 'thread-a']);
    expect(world.turns[1]?.evidence).toMatchObject([{ kind: 'agent_error' }]);
    // Half of 5, 10 and 20 seconds at least.
    expect((await env.currentTimeMs()) - before).toBeGreaterThanOrEqual(17_500);
  });

  test('that no wait mends ends the task at once, with the reason', async () => {
    const refused = { outcome: 'failed', error: 'authentication', reason: 'HTTP 401: the key is wrong' } as const;
    const world = new FakeWorld([{ id: 'a', attempts: 3 }], { a: { turns: [refused] } });
    const result = await runToFailure(world);
    expect(world.count('turn a')).toBe(1);
    expect(result.tasks['a']).toMatchObject({ status: 'failed', reason: expect.stringContaining('HTTP 401') });
  });

  test('of its own begins another attempt, which is told what the one before tried', async () => {
    const failed = { outcome: 'failed', error: 'unknown', reason: 'exit code 1', message: 'I tried the front door' };
    const world = new FakeWorld([{ id: 'a' }], {
      a: { turns: [{ ...failed, changes: ' a.ts | 2 +-' } as object, {}] },
    });
    const result = await runToEnd(world);
    expect(result.tasks['a']).toMatchObject({ attempts: 2 });
    expect(world.turns[1]).toMatchObject({
      thread: null,
      evidence: [{ kind: 'agent_error', tried: 'I tried the front door', changes: ' a.ts | 2 +-', attempt: 1 }],
    });
  });

  test('that goes on for ever ends with the turns of its attempts', async () => {
    const cut = { outcome: 'failed', error: 'network', reason: 'stream disconnected' } as const;
    const world = new FakeWorld([{ id: 'a', attempts: 2, turns: 3 }], { a: { turns: [cut] } });
    const result = await runToFailure(world);
    expect(world.count('turn a')).toBe(6);
    expect(result.tasks['a']?.reason).toMatch(/2 attempts did not succeed; the last: .*stream disconnected/);
  });
});

describe('an agent without threads', () => {
  test('is told with each turn what it was told with the first one', async () => {
    const failed = { thread: null, outcome: 'failed', error: 'network', reason: 'cut off' } as const;
    const world = new FakeWorld([{ id: 'a' }], {
      a: { turns: [{ thread: null }, [failed, {}]], verify: ['fail', 'pass'] },
    });
    await runToEnd(world);
    expect(world.turns.at(-1)?.evidence).toMatchObject([{ kind: 'failed_check' }, { kind: 'agent_error' }]);
  });
});

describe('earlier attempts', () => {
  test('are told to the next one: the last in full, those before in a few lines', async () => {
    const world = new FakeWorld([{ id: 'a', attempts: 3 }], { a: { verify: ['fail', 'fail', 'pass'] } });
    await runToEnd(world);
    const last = world.turns.at(-1)?.evidence ?? [];
    expect(last).toMatchObject([
      { kind: 'failed_check', attempt: 1, detail: '', tried: 'done', commit: 'commit-a-1' },
      { kind: 'failed_check', attempt: 2, detail: 'not ok 1', tried: 'done', commit: 'commit-a-2' },
    ]);
  });
});

describe('work outside of what a task declares', () => {
  const undeclared = { undeclared: ['lib/x.ts'] };

  test('under warn is recorded, locked, and merged', async () => {
    const world = new FakeWorld([{ id: 'a' }], { a: { turns: [undeclared] } });
    const result = await runToEnd(world);
    expect(result.tasks['a']).toMatchObject({
      status: 'merged',
      attempts: 1,
      warnings: ['wrote outside of what the task declares: lib/x.ts'],
    });
  });

  test('under block is sent back to the agent', async () => {
    const world = new FakeWorld([{ id: 'a' }], { a: { turns: [undeclared, {}] } });
    world.scope = 'block';
    const result = await runToEnd(world);
    expect(result.tasks['a']).toMatchObject({ status: 'merged', attempts: 2, warnings: [] });
    expect(world.turns[1]?.evidence).toMatchObject([{ kind: 'out_of_scope', detail: 'lib/x.ts' }]);
  });

  test('waits for the one that holds the paths, and goes on from where it was', async () => {
    const claims = { reads: [], writes: ['lib/**'] };
    const world = new FakeWorld([{ id: 'a' }, { id: 'b', claims }], {
      a: { turns: [undeclared] },
      b: { turns: ['hang'] },
    });
    await withWorkers(env, world, async () => {
      const handle = await startRun(env, runInput(world));
      const until = async (status: string): Promise<void> => {
        while ((await handle.query<RunDescription>('status')).tasks['a']?.status !== status)
          await new Promise((resolve) => setTimeout(resolve, 20));
      };
      await until('waiting_for_lock');
      const { reason } = (await handle.query<RunDescription>('status')).tasks['a'] ?? {};
      expect(reason).toBe('waits for the locks of b to go on');
      expect(world.count('verify a')).toBe(0);
      world.release('b');
      expect((await handle.result()).tasks['a']).toMatchObject({ status: 'merged', attempts: 1, turns: 1 });
    });
    expect(world.merged).toEqual(['b', 'a']);
  });

  test('starts over where another task changed the paths before they were locked; that costs no attempt', async () => {
    const world = new FakeWorld([{ id: 'a', attempts: 1 }], { a: { turns: [undeclared, {}] } });
    world.changed = ['lib/x.ts'];
    const result = await runToEnd(world);
    expect(result.tasks['a']).toMatchObject({ status: 'merged', attempts: 2 });
    expect(world.turns[1]).toMatchObject({ extra: ['lib/x.ts'], evidence: [{ kind: 'locks' }] });
  });

  test('of two tasks that each need what the other holds ends in two merges: one gives way', async () => {
    const world = new FakeWorld([{ id: 'a' }, { id: 'b' }], {
      a: { turns: [{ undeclared: ['b/x.ts'] }, {}] },
      b: { turns: [{ undeclared: ['a/x.ts'] }, {}] },
    });
    const result = await runToEnd(world);
    expect(result.status).toBe('completed');
    expect([...world.merged].sort()).toEqual(['a', 'b']);
  });

  test('waits no longer than it may for one who never lets go, and then stands back', async () => {
    const claims = { reads: [], writes: ['lib/**'] };
    const world = new FakeWorld(
      [{ id: 'a' }, { id: 'b', claims }, { id: 'c', claims: { reads: [], writes: ['a/c'] } }],
      {
        a: { turns: [undeclared] },
        b: { turns: ['hang'] },
      },
    );
    await withWorkers(env, world, async () => {
      const handle = await startRun(env, runInput(world, { growthWaitMs: 2000 }));
      // c wants what a holds, and gets it when a gives up waiting.
      while (!world.merged.includes('c')) await env.sleep('1s');
      expect(world.merged).not.toContain('a');
      world.release('b');
      expect((await handle.result()).tasks['a']).toMatchObject({ status: 'merged' });
    });
  });
});
