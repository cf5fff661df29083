import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { globProblem, matchesGlob } from '../../core/globs.ts';
import { MOST_UNDECLARED, undeclaredWrites } from '../../core/scope.ts';

const name = fc.oneof(
  fc.constantFrom('a', 'b', 'src', '!', '@(x)', '[id]', '{a,b}', '*', '**', 'q\nr', '\\', '"', '.x', '(g)', 'A'),
  fc.string({ minLength: 1, maxLength: 6 }).filter((text) => !/[/\0]|^\.\.?$/.test(text)),
);
const path = fc.array(name, { minLength: 1, maxLength: 5 }).map((names) => names.join('/'));
const paths = fc.array(path, { maxLength: 80 });
const claims = fc.array(fc.constantFrom('a/**', 'src', 'b/*', '**/.x', 'src/**/a'), { maxLength: 3 });

describe('what was written outside of a scope', () => {
  test('together with the claims covers every path, in few globs that are fit for claims', () => {
    fc.assert(
      fc.property(paths, claims, fc.boolean(), (changed, declared, ignoreCase) => {
        const found = undeclaredWrites(changed, declared, { ignoreCase });
        expect(found.length).toBeLessThanOrEqual(MOST_UNDECLARED);
        expect(found.map(globProblem).filter((problem) => problem !== null)).toEqual([]);
        for (const one of changed)
          expect([...declared, ...found].filter((glob) => matchesGlob(glob, one, { ignoreCase }))).not.toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  test('is nothing when all is covered, and names single paths where they are few', () => {
    expect(undeclaredWrites(['src/a.ts', 'test/a.ts'], ['src/**', 'test'])).toEqual([]);
    const found = undeclaredWrites(['src/a.ts', 'app/[id]/(g)/page-1.tsx', '!x', 'lib/+(a).js'], ['src/**']);
    expect(found).toEqual(['\\!x', 'app/\\[id\\]/(g)/page-1.tsx', 'lib/+\\(a).js']);
    expect(matchesGlob('app/\\[id\\]/(g)/page-1.tsx', 'app/i/(g)/page-1.tsx')).toBe(false);
  });

  test('collapses the directories that hold most, and leaves the others as they are', () => {
    const generated = Array.from({ length: 50 }, (_, n) => `gen/file-${n}.ts`);
    expect(undeclaredWrites([...generated, 'src/x.ts', 'gen/deep/y.ts', 'README.md'], [])).toEqual([
      'README.md',
      'gen/**',
      'src/x.ts',
    ]);
  });

  test('is everything where nothing less would be few', () => {
    expect(
      undeclaredWrites(
        Array.from({ length: 50 }, (_, n) => `d${n}/f`),
        [],
      ),
    ).toEqual(['**']);
    expect(
      undeclaredWrites(
        Array.from({ length: 50 }, (_, n) => `f${n}`),
        [],
      ),
    ).toEqual(['**']);
  });

  test('takes upper and lower case for one where the file system does', () => {
    expect(undeclaredWrites(['SRC/a.ts'], ['src/**'], { ignoreCase: true })).toEqual([]);
    expect(undeclaredWrites(['SRC/a.ts'], ['src/**'])).toEqual(['SRC/a.ts']);
  });

  test('is found in hundreds of thousands of paths', () => {
    const many = Array.from({ length: 200_000 }, (_, n) => `d${n % 50_000}/sub/f${n}`);
    expect(undeclaredWrites(many, ['src/**'])).toEqual(['**']);
  });
});
