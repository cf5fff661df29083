import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import picomatch from 'picomatch';
import { canMeet, type Claims, claimsMeet, globProblem, type GlobOptions, matchesGlob } from '../../core/globs.ts';

const LETTERS = ['a', 'b', 'A'] as const;

/** Every path of up to three names of up to two letters. */
const universe = ((): string[] => {
  const names = LETTERS.flatMap((one) => [one, ...LETTERS.map((two) => one + two)]).concat('[a]', '.a');
  const two = names.flatMap((name) => names.map((other) => `${name}/${other}`));
  return [
    ...names,
    ...two,
    ...two.filter((_, i) => i % 3 === 0).flatMap((path) => names.map((name) => `${path}/${name}`)),
  ];
})();

const atom = fc.constantFrom('a', 'b', 'A', '*', '?', '[ab]', '[^a]', '[a-z]', '{a,b}', '{,a}', '\\*', '.');
const segment = fc.oneof(
  { weight: 1, arbitrary: fc.constant('**') },
  { weight: 3, arbitrary: fc.array(atom, { minLength: 1, maxLength: 3 }).map((atoms) => atoms.join('')) },
);
const glob = fc
  .oneof(
    fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/')),
    fc.tuple(segment, segment, segment).map(([one, two, three]) => `{${one}/${two},${three}}/${one}`),
    fc.tuple(segment, segment).map(([one, two]) => `${one}/{${two},a/${one}}`),
  )
  .filter((pattern) => globProblem(pattern) === null);

const matchedBy = (pattern: string): ((path: string) => boolean) => picomatch(pattern, { dot: true });

describe('canMeet', () => {
  test('is true whenever picomatch finds a path that matches both globs', () => {
    fc.assert(
      fc.property(glob, glob, (a, b) => {
        const inA = matchedBy(a);
        const inB = matchedBy(b);
        const witness = universe.find((path) => inA(path) && inB(path));
        if (witness !== undefined) expect(canMeet(a, b)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  test('is symmetric, and true of a glob and itself', () => {
    fc.assert(
      fc.property(glob, glob, fc.boolean(), (a, b, ignoreCase) => {
        expect(canMeet(a, b, { ignoreCase })).toBe(canMeet(b, a, { ignoreCase }));
        expect(canMeet(a, a, { ignoreCase })).toBe(true);
      }),
    );
  });

  test('ignoring case, is true whenever picomatch finds a path that matches both in some case', () => {
    fc.assert(
      fc.property(glob, glob, (a, b) => {
        const inA = picomatch(a, { dot: true, nocase: true });
        const inB = picomatch(b, { dot: true, nocase: true });
        const witness = universe.find((path) => inA(path) && inB(path));
        if (witness !== undefined) expect(canMeet(a, b, { ignoreCase: true })).toBe(true);
        if (canMeet(a, b)) expect(canMeet(a, b, { ignoreCase: true })).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test('of small globs is exactly whether a path matches both', () => {
    const longer = (paths: readonly string[]): string[] =>
      paths.flatMap((path) => ['a', 'b', 'ab'].map((name) => `${path}/${name}`));
    const one = ['a', 'b', 'ab'];
    const two = longer(one);
    const paths = [...one, ...two, ...longer(two), ...longer(longer(two))];
    const cache: NonNullable<GlobOptions['cache']> = new Map();
    const small = fc
      .array(fc.constantFrom('**', '*', 'a*', '*b', 'a', 'b', '?', '[ab]', 'ab', '[^a]'), {
        minLength: 1,
        maxLength: 3,
      })
      .map((segments) => segments.join('/'))
      .filter((pattern) => /[*?[]/.test(pattern));
    fc.assert(
      fc.property(small, small, (a, b) => {
        const inBoth = (path: string): boolean => matchesGlob(a, path, { cache }) && matchesGlob(b, path, { cache });
        expect(canMeet(a, b)).toBe(paths.some(inBoth));
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ['src/a/**', 'src/b/**'],
    ['src/*.ts', 'src/*.js'],
    ['src/*', 'src/auth/login.ts'],
    ['src/auth', 'src/authors/list.ts'],
    ['{src,test}/auth/**', '{src,test}/billing/**'],
    ['**/*.test.ts', 'src/**/*.md'],
    ['[a-c]*', '[d-f]*'],
    ['v[0-9]/**', 'vx/**'],
    ['a/**/b', 'a/**/c'],
    ['Makefile', 'makefile'],
    ['\\*', 'a'],
  ])('of %s and %s is false', (a, b) => {
    expect(canMeet(a, b)).toBe(false);
  });

  test.each([
    ['src/auth/**', 'src/**'],
    ['src/auth', 'src/auth/login.ts'],
    ['src/auth/', 'src/auth/login.ts'],
    ['src/auth/**', 'src/auth'],
    ['./src/a.ts', 'src/a.ts'],
    ['**/*.ts', 'src/auth/**'],
    ['a*c', '*b*'],
    ['.*', '*'],
    ['app/[id]/page.tsx', 'app/\\[id\\]/page.tsx'],
    ['app/(group)/page.tsx', 'app/\\(group\\)/*'],
    ['é.txt', '?.txt'],
  ])('of %s and %s is true', (a, b) => {
    expect(canMeet(a, b)).toBe(true);
  });

  test.each([
    ['Makefile', 'makefile'],
    ['SRC/**', 'src/a.ts'],
    ['caf\u00e9', 'cafe\u0301'],
    ['\u212a', 'k'],
    ['[A-C]', 'b'],
  ])('ignoring case, of %s and %s is true', (a, b) => {
    expect(canMeet(a, b, { ignoreCase: true })).toBe(true);
  });

  test('of stars after an empty alternative is true with no name at all, as picomatch has it', () => {
    expect(canMeet('a/**/{,a}*', '[a-z]')).toBe(true);
  });

  test('ignoring case still tells plain names apart', () => {
    expect(canMeet('src/a/**', 'src/b/**', { ignoreCase: true })).toBe(false);
  });

  test('of a refused glob is true with everything', () => {
    expect(canMeet('!src/**', 'src/a')).toBe(true);
    expect(canMeet('../x', 'docs')).toBe(true);
    expect(canMeet('', 'docs')).toBe(true);
  });
});

describe('matchesGlob', () => {
  test('matches what picomatch matches; besides, a plain name covers what lies below it', () => {
    fc.assert(
      fc.property(glob, fc.constantFrom(...universe), (pattern, path) => {
        const theirs = matchedBy(pattern)(path);
        const below = path.split('/').some((_, i, names) => i > 0 && matchedBy(pattern)(names.slice(0, i).join('/')));
        const ours = matchesGlob(pattern, path);
        if (theirs) expect(ours).toBe(true);
        // picomatch lets `a/**` match `a`, but not always `a*/**`.
        const exact = !/[[{]|\/\*\*$/.test(pattern);
        if (ours && !below && exact) expect(theirs).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });

  test('takes every character of the path as itself', () => {
    expect(matchesGlob('a/b', 'a/*')).toBe(false);
    expect(matchesGlob('a/*', 'a/{x,y}')).toBe(true);
  });
});

describe('globProblem', () => {
  test.each([
    ['', 'a glob must not be empty'],
    ['!a', 'glob "!a": negation is not supported; name the paths that are meant'],
    ['/etc/passwd', 'glob "/etc/passwd" must be relative to the repository, without a leading "/"'],
    ['a/../../b', 'glob "a/../../b": must not leave the repository by ".."'],
    ['{a,..}/b', 'glob "{a,..}/b": ranges in braces are not supported; name the alternatives'],
    ['a//b', 'glob "a//b": empty names between slashes'],
    ['.', 'glob ".": a "." segment; for everything write "**"'],
    ['src/**.ts', 'glob "src/**.ts": "**" must stand alone between slashes, as in "src/**/*.ts"; elsewhere write "*"'],
    ['{a,b', 'glob "{a,b": a "{" without its "}"; write "\\{" for the character'],
    ['a}', 'glob "a}": a "}" without its "{"; write "\\}" for the character'],
    ['{a}', 'glob "{a}": braces need alternatives, such as "{a,b}"; write "\\{" for the character'],
    [
      '[ab',
      'glob "[ab": a "[" needs its "]", with plain characters or ranges between them; write "\\[" for the character',
    ],
    [
      '[z-a]',
      'glob "[z-a]": a "[" needs its "]", with plain characters or ranges between them; write "\\[" for the character',
    ],
    [
      '[+-9]',
      'glob "[+-9]": a "[" needs its "]", with plain characters or ranges between them; write "\\[" for the character',
    ],
    ['src\\auth', 'glob "src\\\\auth": a "\\" may only precede a special character; separators are "/"'],
    ['@(a|b)', 'glob "@(a|b)": "@(…)" is not supported; use braces, such as "{a,b}"'],
    ['[!a]', 'glob "[!a]": write "[^…]" for all characters but some'],
    ['a\nb', 'glob "a\\nb" must not hold control characters'],
    ['{a,b}'.repeat(9), `glob "${'{a,b}'.repeat(9)}" has more than 256 alternatives`],
  ])('of %j says what is wrong', (pattern, message) => {
    expect(globProblem(pattern)).toBe(message);
  });

  test.each([
    '**',
    'src/**',
    'a{,.test}.ts',
    'app/(group)/[id]/page.tsx',
    './a',
    'dir/',
    'a b',
    '\\!x',
    '.github/**',
    '..a',
  ])('of %s is null', (pattern) => {
    expect(globProblem(pattern)).toBeNull();
  });
});

describe('claimsMeet', () => {
  const claims = (reads: string[], writes: string[]): Claims => ({ reads, writes });

  test('lets readers share, and nobody else', () => {
    expect(claimsMeet(claims(['src/**'], []), claims(['src/**'], []))).toBe(false);
    expect(claimsMeet(claims(['src/**'], []), claims([], ['src/a.ts']))).toBe(true);
    expect(claimsMeet(claims([], ['src/a.ts']), claims(['src/**'], []))).toBe(true);
    expect(claimsMeet(claims([], ['src/**']), claims([], ['src/a.ts']))).toBe(true);
    expect(claimsMeet(claims(['docs/**'], ['src/a/**']), claims(['docs/**'], ['src/b/**']))).toBe(false);
  });

  test('with a cache says the same as without one', () => {
    const list = fc.array(glob, { maxLength: 3 });
    const options: GlobOptions = { cache: new Map() };
    fc.assert(
      fc.property(list, list, list, list, (r1, w1, r2, w2) => {
        const [a, b] = [claims(r1, w1), claims(r2, w2)];
        expect(claimsMeet(a, b, options)).toBe(claimsMeet(a, b));
      }),
    );
  });
});
