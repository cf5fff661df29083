import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { execFileSync } from 'node:child_process';
import { branchNameProblem } from '../../core/branch-name.ts';
import { didYouMean, nearest } from '../../core/nearest.ts';

describe('nearest', () => {
  test.each([
    ['max_paralel', ['max_parallel', 'attempts'], 'max_parallel'],
    ['ab', ['ba', 'cd'], 'ba'],
    ['MAIN', ['main'], 'main'],
    ['xyz', ['abc'], null],
    ['a', [], null],
  ])('of %s among %j is %j', (text, candidates, expected) => {
    expect(nearest(text, candidates)).toBe(expected);
  });

  test('finds a text with one character changed, swapped or lost, when no other is as near', () => {
    const word = fc.stringMatching(/^[a-m]{4,12}$/);
    fc.assert(
      fc.property(word, fc.nat(), (text, at) => {
        const i = at % (text.length - 1);
        const far = 'z'.repeat(text.length);
        const swapped = text.slice(0, i) + text.charAt(i + 1) + text.charAt(i) + text.slice(i + 2);
        const lost = text.slice(0, i) + text.slice(i + 1);
        const changed = `${text.slice(0, i)}y${text.slice(i + 1)}`;
        for (const wrong of [swapped, lost, changed]) expect(nearest(wrong, [far, text])).toBe(text);
      }),
    );
  });

  test('is asked as a question, or not at all', () => {
    expect(didYouMean('docs', ['doc'])).toBe('did you mean "doc"?');
    expect(didYouMean('docs', ['queue'])).toBeUndefined();
  });
});

test('a branch name that is taken is one that git takes', () => {
  const name = fc.array(
    fc.constantFrom('a', 'B', '/', '.', '..', '-', '@', '@{', '.lock', ' ', '~', '\\', 'é', '\u0001', 'HEAD'),
    {
      maxLength: 4,
    },
  );
  fc.assert(
    fc.property(
      name.map((parts) => parts.join('')),
      (text) => {
        if (branchNameProblem(text) !== null) return;
        expect(execFileSync('git', ['check-ref-format', '--branch', text], { encoding: 'utf8' })).toBe(`${text}\n`);
      },
    ),
    { numRuns: 100 },
  );
  expect(branchNameProblem('signalbox/1.2-x')).toBeNull();
  expect(branchNameProblem('-f')).toBe('"-f" is no name for git');
  expect(branchNameProblem('a..b')).toBe('"a..b" must not hold ".."');
});
