import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { ATTRIBUTES } from '../../../activities/git/bare-repository.ts';
import { mergeCandidate, type MergeRequest } from '../../../activities/git/candidate.ts';
import { driverAttributes, mergeAttributes, type AttributesFile } from '../../../core/merge-attributes.ts';
import { mergeDriversSchema } from '../../../core/merge-drivers.ts';
import { matchesGlob } from '../../../core/globs.ts';
import { author, git, makeFixture, put, type Fixture } from './support.ts';

let fixture: Fixture;
beforeEach(async () => {
  fixture = await makeFixture({
    'CHANGELOG.md': '# Changes\n',
    'docs/CHANGELOG.md': '# Changes\n',
    'lock.txt': '1\n2\n3\n4\n5\n',
  });
});
afterEach(() => fixture.remove());

const UNION = mergeDriversSchema.parse([{ paths: ['CHANGELOG.md'], driver: 'union' }]);
const entry = (by: string, file = 'CHANGELOG.md'): Record<string, string> => ({ [file]: `# Changes\n- ${by}\n` });

async function merged(tip: string, commit: string, more: Partial<MergeRequest> = {}): Promise<string> {
  const result = await mergeCandidate({ bare: fixture.bare, tip, commit, message: 'Merge', author, ...more });
  return result.kind === 'merged' ? result.commit : result.kind;
}

function show(commit: string, file = 'CHANGELOG.md'): string {
  return git(fixture.bare.gitDir, 'show', `${commit}:${file}`);
}

describe('two entries in one changelog', () => {
  test('both go in where the configuration says union, and conflict in a run whose configuration does not', async () => {
    const [one, two] = [
      fixture.commitFiles(fixture.base, entry('one')),
      fixture.commitFiles(fixture.base, entry('two')),
    ];
    const results = await Promise.all([
      merged(one, two),
      merged(one, two, { drivers: UNION }),
      merged(one, two, { drivers: mergeDriversSchema.parse([{ paths: ['other'], driver: 'union' }]) }),
    ]);
    expect([results[0], results[2]]).toEqual(['conflict', 'conflict']);
    expect(show(results[1])).toBe('# Changes\n- one\n- two');
    expect(readFileSync(path.join(fixture.bare.gitDir, 'info', 'attributes'), 'utf8')).toBe(ATTRIBUTES);
  });

  test('both go in where the tip’s own attributes say so, at any depth; what only the work says counts later', async () => {
    const rules = fixture.commitFiles(fixture.base, { 'docs/.gitattributes': '/CHANGELOG.md merge=union\n' });
    const file = 'docs/CHANGELOG.md';
    const pair = (base: string): [string, string] => [
      fixture.commitFiles(base, entry('one', file)),
      fixture.commitFiles(base, entry('two', file)),
    ];
    expect(show(await merged(...pair(rules)), file)).toBe('# Changes\n- one\n- two');
    const [one, two] = pair(fixture.base);
    const withRules = fixture.commitFiles(two, { '.gitattributes': '*.md merge=union\n' });
    expect(await merged(one, withRules)).toBe('conflict');
  });

  test('the configuration counts before the tip’s attributes', async () => {
    const base = fixture.commitFiles(fixture.base, { '.gitattributes': '*.md -merge\n' });
    const [one, two] = [fixture.commitFiles(base, entry('one')), fixture.commitFiles(base, entry('two'))];
    expect(await merged(one, two)).toBe('conflict');
    expect(show(await merged(one, two, { drivers: UNION }))).toContain('- two');
  });
});

test('a file that is not to be merged is a conflict also where its lines would go together', async () => {
  const base = fixture.commitFiles(fixture.base, { '.gitattributes': '[attr]locked -merge\nlock.txt locked\n' });
  const one = fixture.commitFiles(base, { 'lock.txt': 'one\n2\n3\n4\n5\n' });
  const two = fixture.commitFiles(base, { 'lock.txt': '1\n2\n3\n4\ntwo\n' });
  expect(await merged(one, two)).toBe('conflict');
  const text = mergeDriversSchema.parse([{ paths: ['lock.txt'], driver: 'text' }]);
  expect(show(await merged(one, two, { drivers: text }), 'lock.txt')).toBe('one\n2\n3\n4\ntwo');
});

test('a driver that only a tree names runs nothing, whatever it is called', async () => {
  const canary = path.join(fixture.root, 'canary');
  const base = fixture.commitFiles(fixture.base, { '.gitattributes': `*.md merge=evil\n` });
  git(fixture.bare.gitDir, 'config', 'merge.evil.driver', `touch ${canary}`);
  const [one, two] = [fixture.commitFiles(base, entry('one')), fixture.commitFiles(base, entry('two'))];
  expect(await merged(one, two)).toBe('conflict');
  expect(readdirSync(fixture.root)).not.toContain('canary');
});

test('of clean merges none but the first looks through the whole tree for attributes, or starts git at all', async () => {
  const names = ['b.txt', 'sub/c.txt', 'new/d.txt', 'e.txt'];
  const lines = (first: string, last: string): string => [first, ...Array<string>(9).fill('-'), last, ''].join('\n');
  const all = (text: string): Record<string, string> => Object.fromEntries(names.map((name) => [name, text]));
  const before = { 'sub/.gitattributes': '*.md merge=union\n', ...all(lines('a', 'z')) };
  const base = fixture.commitFiles(fixture.base, before);
  git(fixture.bare.gitDir, 'repack', '-a', '-d', '-q');
  const run = jest.spyOn(fixture.bare, 'git');
  let tip = fixture.commitFiles(base, all(lines('ours', 'z')));
  const commands: string[][] = [];
  for (const name of names) {
    const work = fixture.commitFiles(base, { [name]: lines('a', 'theirs') });
    run.mockClear();
    tip = await merged(tip, work);
    commands.push(run.mock.calls.map(([args]) => args[0] ?? ''));
    expect(git(fixture.bare.gitDir, 'show', `${tip}:${name}`)).toBe(lines('ours', 'theirs').trimEnd());
  }
  const [first, ...others] = commands;
  expect(first?.filter((command) => command !== 'cat-file')).toEqual(['ls-tree']);
  expect(others.map((more) => more.filter((command) => command !== 'cat-file'))).toEqual([[], [], []]);
  // Directories that no merge has looked into yet are packed.
  expect(others.map((more) => more.length)).toEqual([1, 1, 0]);
});

test('of merges that change no path on both sides, none but the first starts git', async () => {
  const base = fixture.commitFiles(fixture.base, { 'sub/.gitattributes': '*.md merge=union\n' });
  git(fixture.bare.gitDir, 'repack', '-a', '-d', '-q');
  const run = jest.spyOn(fixture.bare, 'git');
  let tip = fixture.commitFiles(base, { 'a.txt': 'a\n' });
  const commands: string[][] = [];
  for (const name of ['b.txt', 'sub/c.txt', 'new/d.txt', 'e.txt']) {
    const work = fixture.commitFiles(base, { [name]: 'x\n' });
    run.mockClear();
    tip = await merged(tip, work);
    commands.push(run.mock.calls.map(([args]) => args[0] ?? ''));
  }
  // The base and its directory are packed.
  expect(commands).toEqual([['cat-file', 'cat-file'], [], [], []]);
});

/** What git says of `merge` for paths, with attributes of ours in a repository that has no others. */
function mergeOf(text: string, paths: readonly string[]): Record<string, string> {
  const file = path.join(fixture.root, 'attributes');
  writeFileSync(file, text);
  const args = ['-c', `core.attributesFile=${file}`, 'check-attr', '-z', '--stdin', 'merge'];
  const { gitDir: cwd } = fixture.bare;
  const out = execFileSync('git', args, { cwd, input: paths.join('\0'), encoding: 'utf8' }).split('\0');
  return Object.fromEntries(paths.map((name, index) => [name, out[index * 3 + 2] ?? '']));
}

const PATHS = [
  ...['a', 'a.md', '.md', 'src/a.md', 'src/b', 'src/b/c.md', 'src/b/c/d.md', 'a b.md', '#x', '"q"', 'back\\slash'],
  ...['app/[id]/page.tsx', 'app/i/page.tsx', 'x{y}', '!n', 'ä.md', 'src/.hidden', 'A.md', '*', 'src'],
];

test.each([
  ...[
    'a.md',
    '*.md',
    '**/*.md',
    'src',
    'src/',
    'src/**',
    'src/**/d.md',
    'src/*',
    './src/*.md',
    '**',
    '*',
    '?.md',
    '#x',
  ],
  ...['{a,src/b}.md', '{a.md,src/**}', 'a b.md', '\\"q\\"', 'back\\\\slash', 'app/[id]/page.tsx', '[ab].md', '[^b].md'],
  ...['x\\{y\\}', '\\!n', 'ä.md', '\\*', 'src/b/**/*.md', '**/b/**'],
])('git takes the driver of %s for the files that the glob matches', (glob) => {
  // To git, `?` and a class are one byte.
  const paths = PATHS.filter((name) => !/[?[]/.test(glob) || name !== 'ä.md');
  const [driver] = mergeDriversSchema.parse([{ paths: [glob], driver: 'union' }]);
  const says = mergeOf(driverAttributes(driver === undefined ? [] : [driver]), paths);
  const expected = Object.fromEntries(paths.map((name) => [name, matchesGlob(glob, name) ? 'union' : 'unspecified']));
  expect(says).toEqual(expected);
});

test('attributes of nested files, put together, say of merging what git makes of them in a checkout', () => {
  const files: AttributesFile[] = [
    {
      directory: '',
      text:
        '# a comment\n*.md merge=union text\n[attr]mine merge=binary -diff\n\n  src/*.md  -merge\n"a b.md" !merge eol=lf\n' +
        'back\\\\slash mine\n#x merge=union\n"#x" merge=text\n*.tsx binary\nsrc/ merge=union\n!n merge=union\n' +
        'A.md merge=union merge\n.hidden filter=evil\n',
    },
    { directory: 'src', text: '.hidden merge=union\n/b/** merge\nc.md binary\n' },
    { directory: 'src/b', text: 'c.md -mine\n**/d.md !merge\n[attr]late merge=union\n' },
    { directory: 'app/[id]', text: '*.tsx merge=union\n' },
  ];
  put(
    fixture.userDirectory,
    Object.fromEntries(files.map(({ directory, text }) => [path.join(directory, '.gitattributes'), text])),
  );
  const args = ['check-attr', '-z', '--stdin', 'merge'];
  const out = execFileSync('git', args, {
    cwd: fixture.userDirectory,
    input: PATHS.join('\0'),
    encoding: 'utf8',
  }).split('\0');
  const expected = Object.fromEntries(PATHS.map((name, index) => [name, out[index * 3 + 2]]));
  const ours = mergeOf(mergeAttributes([...files].reverse()), PATHS);
  expect(ours).toEqual(expected);
  expect(new Set(Object.values(ours)).size).toBe(6);
});
