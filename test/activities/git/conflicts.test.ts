import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  joinUserBranch,
  mergeCandidate,
  type MergeConflict,
  type MergeRequest,
} from '../../../activities/git/candidate.ts';
import type { ConflictKind } from '../../../core/merge-conflict.ts';
import { mergeMessage } from '../../../core/merge-message.ts';
import { author, git, makeFixture, type Fixture } from './support.ts';

const lines = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, i) => `${from + i}\n`).join('');

let fixture: Fixture;
let base: string;

beforeAll(async () => {
  fixture = await makeFixture({
    'a.txt': lines(1, 20),
    x1: lines(100, 130),
    x2: lines(200, 230),
    'image.dat': 'a\0b',
    'dir/one': 'one\n',
    'dir/two': 'two\n',
  });
  base = changed(fixture.base, `git update-index --add --cacheinfo 160000,${'1'.repeat(40)},sub`);
});
afterAll(() => fixture.remove());

let count = 0;

/** Commits what a script makes of a commit, and returns the new one. */
function changed(parent: string, script: string, message = 'Change', more: string[] = []): string {
  const clone = path.join(fixture.root, 'clone');
  if (!existsSync(clone)) git(fixture.root, 'clone', '-q', '--no-checkout', fixture.bare.gitDir, clone);
  git(clone, 'fetch', '-q', 'origin', '+refs/*:refs/all/*');
  git(clone, 'checkout', '-q', '-f', '--detach', parent);
  git(clone, 'clean', '-q', '-ffdx');
  execFileSync('sh', ['-ec', script], { cwd: clone, stdio: 'pipe' });
  git(clone, 'add', '-A', '--', '.', ':!sub');
  const tree = git(clone, 'write-tree');
  const parents = [parent, ...more].flatMap((one) => ['-p', one]);
  const commit = git(clone, 'commit-tree', tree, ...parents, '-m', message);
  git(clone, 'push', '-q', 'origin', `${commit}:refs/test/${(count += 1)}`);
  return commit;
}

async function conflict(ours: string, theirs: string, more: Partial<MergeRequest> = {}): Promise<MergeConflict> {
  const { bare } = fixture;
  const result = await mergeCandidate({ bare, tip: ours, commit: theirs, message: 'Merge', author, ...more });
  if (result.kind !== 'conflict') throw new Error(result.kind);
  return result;
}

const NEW = 'Since.';
const FIVE = "sed -i 's/^5$/%/' a.txt";
const five = (by: string): string => FIVE.replace('%', by);
const submodule = (digit: string): string => `git update-index --cacheinfo 160000,${digit.repeat(40)},sub`;

/** What the tip did, what the work did, and what is said of it. */
const KINDS: [name: string, ours: string, theirs: string, kind: ConflictKind, words: string][] = [
  [
    'the same lines',
    five('ours'),
    five('theirs'),
    'content',
    'a.txt: the current tip and this work changed the same lines.',
  ],
  [
    'a file that both added',
    'echo one > new',
    'echo two > new',
    'added_twice',
    'new: added in the current tip and in this work, with different content.',
  ],
  [
    'a file renamed to two names',
    'git mv x1 y1',
    'git mv x1 y2',
    'rename_rename',
    'x1: renamed to y1 in the current tip, and to y2 in this work.',
  ],
  [
    'two files renamed to one name',
    'git mv x1 y',
    'git mv x2 y',
    'renamed_onto',
    'y: the new name of x1 in the current tip, but the new name of x2 in this work.',
  ],
  [
    'a file added under the new name of another',
    'git mv x1 y',
    'echo y > y',
    'renamed_onto',
    'y: the new name of x1 in the current tip, but added in this work.',
  ],
  [
    'a renamed file that was deleted',
    'git mv x1 y',
    'git rm -q x1',
    'rename_delete',
    'x1: renamed to y in the current tip, but deleted in this work.',
  ],
  [
    'a deleted file that was renamed and changed',
    'git rm -q x1',
    "git mv x1 y; sed -i 's/^105$/5/' y",
    'rename_delete',
    'x1: renamed to y in this work, but deleted in the current tip.',
  ],
  [
    'a changed file that was deleted',
    five('ours'),
    'git rm -q a.txt',
    'modify_delete',
    'a.txt: deleted in this work, but changed in the current tip.',
  ],
  [
    'a deleted file that was changed',
    'git rm -q a.txt',
    five('theirs'),
    'modify_delete',
    'a.txt: deleted in the current tip, but changed in this work.',
  ],
  [
    'a file that is executable on one side only',
    'echo run > run.sh; chmod +x run.sh',
    'echo run > run.sh',
    'mode',
    'run.sh: executable in the current tip, but not in this work.',
  ],
  [
    'a file that became a symbolic link',
    'rm a.txt; ln -s x1 a.txt',
    five('theirs'),
    'type',
    'a.txt: a symbolic link to "x1" in the current tip, but a file in this work.',
  ],
  [
    'two symbolic links',
    'ln -s x1 link',
    'ln -s x2 link',
    'symlink',
    'link: a symbolic link to "x1" in the current tip, but a symbolic link to "x2" in this work.',
  ],
  [
    'a file and a directory',
    'echo f > place',
    'mkdir place; echo f > place/f',
    'file_directory',
    'place: a file in the current tip, a directory in this work.',
  ],
  [
    'a changed file that became a directory',
    'rm a.txt; mkdir a.txt; echo f > a.txt/f',
    five('theirs'),
    'file_directory',
    'a.txt: a file in this work, a directory in the current tip.',
  ],
  [
    'a new file in a directory that was renamed',
    'git mv dir renamed',
    'echo three > dir/three',
    'directory_rename',
    'dir/three: put into a directory in this work that was renamed in the current tip; belongs to renamed/three now.',
  ],
  [
    'a binary file',
    "printf 'a\\0ours' > image.dat",
    "printf 'a\\0theirs' > image.dat",
    'binary',
    'image.dat: a binary file that both changed (6 bytes in the current tip, 8 bytes in this work, 3 bytes before); ' +
      'one of the two must be taken, or made anew.',
  ],
  [
    'a text that its attributes make binary',
    `echo 'a.txt -merge' > .gitattributes; ${five('ours')}`,
    "sed -i 's/^18$/theirs/' a.txt",
    'binary',
    'a.txt: a file that is not merged line by line, as its attributes say, that both changed (54 bytes in the current tip, 55 bytes in this work, 51 bytes before); one of the two must be taken, or made anew.',
  ],
  [
    'a submodule that both moved',
    submodule('2'),
    submodule('3'),
    'submodule',
    'sub: a submodule that both moved away from 1111111111: to 2222222222 in the current tip, to 3333333333 in this work.',
  ],
  [
    'a submodule that was removed',
    'git rm -q --cached sub',
    submodule('3'),
    'modify_delete',
    'sub: a submodule, deleted in the current tip, but changed in this work.',
  ],
  [
    'a submodule in whose place is a file',
    'git rm -q --cached sub; rmdir sub 2>/dev/null; echo f > sub; git add sub',
    submodule('3'),
    'type',
    'sub: a file in the current tip, but a submodule at 3333333333 in this work.',
  ],
  [
    'a file whose line endings the tip changed',
    "sed -i 's/$/\\r/' a.txt",
    five('theirs'),
    'line_endings',
    'a.txt: the current tip changed nothing but the line endings of the file (to CRLF), so that every line conflicts with ' +
      'what this work changed: CRLF in the current tip, LF in this work.',
  ],
  [
    'a file whose line endings the work changed',
    five('ours'),
    "sed -i 's/$/\\r/' a.txt",
    'line_endings',
    'a.txt: this work changed nothing but the line endings of the file (to CRLF), so that every line conflicts with ' +
      'what the current tip changed: LF in the current tip, CRLF in this work.',
  ],
  [
    'the same file with other line endings',
    "printf 'a\\nb\\n' > new",
    "printf 'a\\r\\nb\\r\\n' > new",
    'line_endings',
    'new: both made the same of it, but with other line endings: LF in the current tip, CRLF in this work.',
  ],
  [
    'a file that one side changed and converted',
    five('ours'),
    `${five('theirs')}; sed -i 's/$/\\r/' a.txt`,
    'line_endings',
    'a.txt: both changed it, and its line endings differ, so that every line conflicts: LF in the current tip, CRLF in this work.',
  ],
];

describe('a conflict is told in words', () => {
  test.each(KINDS)('about %s', async (_, here, there, kind, words) => {
    const { files } = await conflict(changed(base, here, NEW), changed(base, there));
    const [file, ...more] = files;
    expect(more).toEqual([]);
    expect(file?.kind).toBe(kind);
    expect(file?.description.startsWith(words) ? words : file?.description).toBe(words);
    // Only the tip's change is one that this work meets.
    expect(file?.description.slice(words.length)).toMatch(
      /^ It meets the change of the user's own commit [0-9a-f]{10} \(Since\.\)\.$/,
    );
  });

  test('where lines say something, with them, named by their sides', async () => {
    const { hunks } = await conflict(changed(base, five('ours')), changed(base, five('theirs')));
    expect(hunks).toMatch(/\+<<<<<<< the current tip\n ours\n\+=======\n\+theirs\n\+>>>>>>> this work\n/);
    const deleted = await conflict(changed(base, five('ours')), changed(base, 'git rm -q a.txt'));
    expect(deleted.hunks).toMatch(/^What the current tip changed there:\n[^]*-5\n\+ours\n/);
    for (const [, here, there, kind] of KINDS) {
      if (kind !== 'binary' && kind !== 'line_endings' && kind !== 'submodule') continue;
      expect((await conflict(changed(base, here), changed(base, there))).hunks).toBe('');
    }
  });

  test('each path by itself, and only the first ones closely', async () => {
    const all = (by: string): string => `for i in $(seq -w 1 30); do echo ${by} > f$i; done; ${five(by)}`;
    const { files } = await conflict(changed(base, all('ours')), changed(base, all('theirs')));
    expect(files).toHaveLength(31);
    expect(files[0]?.kind).toBe('content');
    expect(files.at(-1)).toEqual({
      path: 'f30',
      kind: 'other',
      description: 'f30: CONFLICT (add/add): Merge conflict in f30',
    });
  });
});

describe('names that differ only in case', () => {
  const merge = (ours: string, theirs: string, ignoreCase: boolean): ReturnType<typeof mergeCandidate> =>
    mergeCandidate({ bare: fixture.bare, tip: ours, commit: theirs, message: 'Merge', author, ignoreCase });

  test('are a conflict where names ignore case, also in directories, and nowhere else', async () => {
    const ours = changed(base, 'echo a > Readme.md; mkdir src; echo b > src/b', NEW);
    const theirs = changed(base, 'echo a > README.md; mkdir Src; echo c > Src/c');
    expect((await merge(ours, theirs, false)).kind).toBe('merged');
    const result = await merge(ours, theirs, true);
    if (result.kind !== 'conflict') throw new Error(result.kind);
    expect(result.files.map(({ path, kind }) => [path, kind])).toEqual([
      ['README.md', 'case'],
      ['Src', 'case'],
    ]);
    expect(result.files[0]?.description).toMatch(
      /^README\.md: new in this work, is the same file as Readme\.md of the current tip wherever names ignore case\. It meets the change of the user's own commit [0-9a-f]{10} \(Since\.\)\.$/,
    );
  });

  test('are one also where the work alone brings both, made on the very tip; what was there before is none', async () => {
    const both = changed(base, 'echo a > Readme.md; echo a > README.md');
    const result = await merge(base, both, true);
    if (result.kind !== 'conflict') throw new Error(result.kind);
    expect(result.files[0]?.description).toMatch(
      /^Readme\.md: new in this work, is the same file as README\.md of this work /,
    );
    expect((await merge(both, changed(both, 'echo b > b'), true)).kind).toBe('merged');
  });
});

describe('whose change it is', () => {
  const landed = (onto: string, id: string, script: string, squash = false): string => {
    const note = { project: 'p', run: 'r', task: id, attempt: 1, digest: 'ab'.repeat(32) };
    const message = mergeMessage({ ...note, name: `name-${id}`, description: `Does ${id}.` });
    const work = changed(onto, script, `agent ${id}`);
    return changed(onto, script, message, squash ? [] : [work]);
  };

  test('is told by task, name and description, merged or squashed; of others by commit, only those of the path', async () => {
    let tip = landed(base, '003', five('three'));
    tip = changed(tip, "sed -i 's/three/mine/' a.txt", 'Mend it by hand');
    tip = landed(tip, '004', "sed -i 's/mine/four/' a.txt", true);
    const [mine] = git(fixture.bare.gitDir, 'log', '--format=%h', '--abbrev=10', '--grep=by hand', tip).split('\n');
    tip = landed(tip, '005', 'echo 5 > other.txt');
    const { files } = await conflict(tip, changed(base, five('theirs')));
    expect(files[0]?.description).toBe(
      'a.txt: the current tip and this work changed the same lines. It meets the change of task 004 name-004 (Does 004.); ' +
        `the user's own commit ${mine} (Mend it by hand); task 003 name-003 (Does 003.).`,
    );
  });

  test('is found behind a join of the user’s commits, too', async () => {
    const accepted = landed(base, '006', 'echo 6 > six.txt');
    const user = changed(base, five('mine'), 'My own');
    const join = await joinUserBranch({
      ...{ bare: fixture.bare, branch: 'main', author },
      ...{ userTip: user, acceptedTip: accepted },
    });
    if (join.kind !== 'candidate') throw new Error(join.kind);
    const { files } = await conflict(join.commit, changed(base, five('theirs')));
    expect(files[0]?.description).toContain(
      `It meets the change of the user's own commit ${user.slice(0, 10)} (My own).`,
    );
  });

  test('and when the user’s commits themselves are in conflict with accepted work, that work’s task', async () => {
    const result = await joinUserBranch({
      ...{ bare: fixture.bare, branch: 'main', author },
      ...{ userTip: changed(base, five('mine'), 'My own'), acceptedTip: landed(base, '007', five('seven')) },
    });
    if (result.kind !== 'conflict') throw new Error(result.kind);
    expect(result.files[0]?.description).toBe(
      'a.txt: the accepted work and the commits on main changed the same lines. It meets the change of task 007 name-007 (Does 007.).',
    );
  });
});
