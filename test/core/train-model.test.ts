import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { memberKey } from '../../core/train.ts';
import { TrainWorld, type TrainPlan } from '../support/train-world.ts';
import { trainMember } from '../../scripts/simulate/train.ts';

const MEMBERS = 10;
const RUNS = ['r1', 'r2'];
const HISTORIES = Number(process.env['SIGNALBOX_TRAIN_HISTORIES'] ?? 250);

const member = fc.record({
  run: fc.constantFrom(...RUNS),
  lane: fc.constantFrom(null, 'x', 'y'),
  checks: fc.constantFrom('c1', 'c1', 'c1', 'c2'),
  red: fc.constantFrom(false, false, false, true),
  redWith: fc.option(fc.nat(MEMBERS - 1), { freq: 4 }),
  conflictsWith: fc.option(fc.nat(MEMBERS - 1), { freq: 4 }),
  conflictsWithOthers: fc.constantFrom(false, false, false, true),
});

const plans: fc.Arbitrary<TrainPlan> = fc
  .record({
    ride: fc.record({
      slots: fc.integer({ min: 1, max: 4 }),
      recheckTip: fc.constantFrom(true, true, false),
      canary: fc.constantFrom('off' as const, 'off' as const, 'warn' as const, 'block' as const),
    }),
    proven: fc.boolean(),
    // Trains with one lane only are as likely as those with several.
    oneLane: fc.boolean(),
    members: fc.array(member, { minLength: 1, maxLength: MEMBERS }),
  })
  .map(({ oneLane, members, ...rest }) => {
    const lane = oneLane ? { lane: null, checks: 'c1' } : {};
    const keyOf = (index: number | null): string | null => {
      const plan = index === null ? undefined : members[index];
      if (plan === undefined || index === null) return null;
      const plain = trainMember(`m${index}`);
      return memberKey({ ...plain, run: { ...plain.run, run: plan.run } });
    };
    return {
      ...rest,
      members: members.map((plan, index) => ({
        ...plan,
        ...lane,
        redWith: plan.redWith === index ? null : keyOf(plan.redWith),
        conflictsWith: plan.conflictsWith === index ? null : keyOf(plan.conflictsWith),
      })),
    };
  });

const OPERATIONS = [
  ...['submit', 'submit', 'submit', 'submit', 'withdraw', 'cancel', 'deliver'],
  ...['plan', 'plan', 'plan', 'build', 'build', 'build', 'built', 'built', 'built', 'not built'],
  ...['begin', 'begin', 'begin', 'verdict', 'verdict', 'verdict', 'verdict', 'flaky verdict', 'verdict twice'],
  ...['begin accepting', 'begin accepting', 'accept', 'accept', 'accepting over', 'accepting over', 'land'],
  ...['push', 'break', 'fix', 'resume', 'resume'],
] as const;

const histories = fc.array(fc.record({ operation: fc.constantFrom(...OPERATIONS), nth: fc.nat(20) }), {
  maxLength: 120,
  size: 'max',
});

function play(
  plan: TrainPlan,
  history: readonly { operation: (typeof OPERATIONS)[number]; nth: number }[],
): TrainWorld {
  const world = new TrainWorld(plan);
  const keys = [...world.members.keys()];
  for (const { operation, nth } of history) {
    const key = keys[nth % keys.length]!;
    if (operation === 'submit') world.submit(key);
    if (operation === 'withdraw' && nth % 3 === 0) world.withdraw(key);
    if (operation === 'cancel' && nth % 6 === 0) {
      for (const [other, { truth }] of world.members) if (truth.run === RUNS[nth % 2]) world.withdraw(other);
    }
    if (operation === 'deliver') world.deliver();
    if (operation === 'plan') world.plan();
    if (operation === 'build') world.build(nth, nth % 2 === 0);
    if (operation === 'built') world.built(nth);
    if (operation === 'not built' && nth % 5 === 0) world.notBuilt(nth);
    if (operation === 'begin') world.begin();
    if (operation === 'verdict') world.verdict(nth, false, false);
    if (operation === 'flaky verdict') world.verdict(nth, true, false);
    if (operation === 'verdict twice') world.verdict(nth, nth % 7 === 0, true);
    if (operation === 'begin accepting') world.beginAccepting();
    if (operation === 'accept') world.accept();
    if (operation === 'accepting over') world.acceptingOver();
    if (operation === 'land') world.land(nth % 3);
    if (operation === 'push') world.push('o');
    if (operation === 'break' && nth % 4 === 0) world.push('break');
    if (operation === 'fix' && nth % 4 === 0) world.push('fix');
    if (operation === 'resume') world.resume(nth % 2 === 0);
  }
  return world;
}

describe('a train whose members leave, conflict and fail, while the branch moves and activities are repeated', () => {
  test('accepts green trees only, answers everybody once and alike, and comes to an end', () => {
    fc.assert(
      fc.property(plans, histories, (plan, history) => {
        const world = play(plan, history);
        world.settle();
        world.expectJustice();
        // Whoever asks again hears the same.
        const before = new Map(world.answers);
        for (const key of world.members.keys()) world.submit(key);
        world.deliver();
        expect(new Map(world.answers)).toEqual(before);
      }),
      { numRuns: HISTORIES },
    );
  });
});
