import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { packRun, unpackRun } from '../../core/packed-run.ts';
import { initialRunState, newProgress, type TaskProgress } from '../../core/run-state.ts';
import type { RunInput } from '../../core/workflow-inputs.ts';
import { settings } from '../support/run-rules.ts';

const input: RunInput = {
  version: 1,
  run: {
    project: 'p',
    run: 'r',
    repository: { id: 'i', path: '/', branch: 'main', host: 'h' },
    manifest: { sha256: '', bytes: 0 },
  },
  settings: settings(),
  baseCommit: 'base',
  startedAt: 0,
};

const commit = fc.option(fc.constantFrom('a'.repeat(40), 'b'.repeat(40)));
const progress = fc
  .record<Partial<TaskProgress>>(
    {
      status: fc.constantFrom('pending', 'merged', 'failed', 'working', 'waiting_for_person'),
      reason: fc.option(fc.string()),
      attempts: fc.nat(9),
      turns: fc.nat(9),
      seq: fc.nat(9),
      usage: fc.record({
        input_tokens: fc.nat(),
        cached_input_tokens: fc.nat(),
        output_tokens: fc.nat(),
        cost_usd: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }).map(Math.abs),
      }),
      commit,
      mergedCommit: commit,
      startedAt: fc.option(fc.nat()),
      endedAt: fc.option(fc.nat()),
      holds: fc.boolean(),
      open: fc.boolean(),
      extra: fc.array(fc.string(), { maxLength: 2 }),
      priority: fc.option(fc.integer()),
      satisfied: fc.boolean(),
    },
    { requiredKeys: [] },
  )
  .map((fields): TaskProgress => ({ ...newProgress(), ...fields }));

describe('a run’s state over continue-as-new', () => {
  test('is what it was, also through JSON', () => {
    const branch = fc.constantFrom('own', 'other', null);
    fc.assert(
      fc.property(fc.array(fc.tuple(progress, branch), { maxLength: 600 }), (list) => {
        const tasks = Object.fromEntries(
          list.map(([task, kind], at) => {
            const id = `t-${at}`;
            return [id, { ...task, branch: kind === null ? null : kind === 'own' ? `signalbox/r/${id}` : 'x/y' }];
          }),
        );
        const state = { ...initialRunState(settings({ maxParallel: 3 }), 'base'), loaded: true, seq: 9, tasks };
        const packed = JSON.parse(JSON.stringify(packRun(input, state))) as ReturnType<typeof packRun>;
        expect(unpackRun(...packed)).toEqual(JSON.parse(JSON.stringify(state)));
      }),
      { numRuns: 30 },
    );
  });

  test('of a thousand merged tasks takes less than 200 bytes a task, and no argument more than 64 KB', () => {
    const tasks = Object.fromEntries(
      Array.from({ length: 1000 }, (_, at): [string, TaskProgress] => {
        const id = String(at).padStart(4, '0');
        const usage = { input_tokens: 123_456, cached_input_tokens: 100_000, output_tokens: 12_345, cost_usd: 1.25 };
        const times = { startedAt: 1_700_000_000_000, endedAt: 1_700_000_100_000 };
        const done = { status: 'merged', attempts: 1, turns: 3, seq: 1, usage, branch: `signalbox/r/${id}` } as const;
        return [id, { ...newProgress(), ...done, ...times, commit: 'c'.repeat(40), mergedCommit: 'm'.repeat(40) }];
      }),
    );
    const packed = packRun(input, { ...initialRunState(settings(), 'base'), tasks });
    expect(JSON.stringify(packed).length / 1000).toBeLessThan(200);
    for (const argument of packed) expect(JSON.stringify(argument).length).toBeLessThan(64 * 1024);
  });

  test('is absent for a run that begins', () => {
    expect(unpackRun(input)).toBe(null);
  });
});
