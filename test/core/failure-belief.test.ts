import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { learn, UNKNOWN_FAILURES, type FailureBelief } from '../../core/failure-belief.ts';

const mean = (belief: FailureBelief): number => belief.reduce((sum, { rate, weight }) => sum + rate * weight, 0);

describe('what is believed of failures', () => {
  test('starts near one in twenty, far from certain', () => {
    expect(mean(UNKNOWN_FAILURES)).toBeGreaterThan(0.03);
    expect(mean(UNKNOWN_FAILURES)).toBeLessThan(0.06);
    expect(UNKNOWN_FAILURES.filter(({ weight }) => weight > 0.05).length).toBeGreaterThanOrEqual(4);
  });

  test.each([0.01, 0.1, 0.2])('comes to what is seen, where %f fail', (share) => {
    let belief = UNKNOWN_FAILURES;
    for (let seen = 0; seen < 4; seen += 1) belief = learn(belief, 100 - 100 * share, 100 * share);
    expect(mean(belief)).toBeGreaterThan(share / 1.6);
    expect(mean(belief)).toBeLessThan(share * 1.6);
  });

  test('comes away from what was seen for long within a few members', () => {
    let belief = UNKNOWN_FAILURES;
    for (let seen = 0; seen < 1000; seen += 1) belief = learn(belief, 1, 0);
    expect(mean(belief)).toBeLessThan(0.006);
    expect(mean(learn(learn(belief, 10, 0), 0, 5))).toBeGreaterThan(0.15);
  });

  test('stays a belief, whatever is seen', () => {
    const seen = fc.array(fc.record({ green: fc.nat(250), red: fc.nat(3) }), { maxLength: 30 });
    fc.assert(
      fc.property(seen, (all) => {
        const belief = all.reduce((before, { green, red }) => learn(before, green, red), UNKNOWN_FAILURES);
        for (const { weight } of belief) expect(weight).toBeGreaterThan(0);
        expect(belief.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1, 9);
      }),
    );
  });
});
