import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { carry, changesOf, commitAll, LANDED, repository } from './carrying.ts';
import { git, makeRoot, put, removeRoot } from './support.ts';

let root: string;

beforeEach(() => {
  root = makeRoot();
});
afterEach(() => removeRoot(root));

describe('submodules', () => {
  /** A repository with a submodule that is checked out. */
  function withSubmodule(): string {
    const library = repository(root, 'library', { 'lib.txt': 'lib\n' });
    const user = repository(root, 'user');
    git(user, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', library, 'vendor/lib');
    git(user, 'commit', '-qm', 'Add the library');
    return user;
  }

  test('keep their pointer and their checkout, whatever an agent leaves in its empty directory', async () => {
    const user = withSubmodule();
    const pointer = git(user, 'rev-parse', 'HEAD:vendor/lib');
    const { landing, taken, commit } = await carry(user, root, (tree) => {
      expect(readdirSync(path.join(tree, 'vendor/lib'))).toEqual([]);
      put(tree, { 'a.txt': 'changed\n', 'vendor/lib/lib.txt': 'by the agent\n' });
    });
    expect(taken.leftOut).toEqual([{ path: 'vendor/lib', reason: expect.stringMatching(/is a submodule/) as unknown }]);
    expect(landing).toEqual(LANDED);
    expect(git(user, 'rev-parse', `${commit}:vendor/lib`)).toBe(pointer);
    expect(readFileSync(path.join(user, 'vendor/lib/lib.txt'), 'utf8')).toBe('lib\n');
    expect(git(user, 'status', '--porcelain')).toBe('');
  });

  test('stay when an agent removes the empty directory, and go when .gitmodules lets them go', async () => {
    const user = withSubmodule();
    const kept = await carry(user, root, (tree) => {
      rmSync(path.join(tree, 'vendor'), { recursive: true });
      put(tree, { 'a.txt': 'changed\n' });
    });
    expect(changesOf(kept.taken)).toEqual(['modified a.txt']);
    expect(kept.landing).toEqual(LANDED);
    expect(git(user, 'status', '--porcelain')).toBe('');
    const removed = await carry(user, root, (tree) => git(tree, 'rm', '-q', 'vendor/lib'));
    expect(changesOf(removed.taken)).toEqual(['modified .gitmodules', 'deleted vendor/lib']);
    expect(removed.landing).toEqual(LANDED);
    expect(readFileSync(path.join(user, 'vendor/lib/lib.txt'), 'utf8')).toBe('lib\n');
  });

  test('whose pointer the user staged hold the landing back: it would drop that', async () => {
    const user = withSubmodule();
    const pointer = commitAll(path.join(user, 'vendor/lib'), { 'lib.txt': 'next\n' });
    git(user, 'add', 'vendor/lib');
    const { landing } = await carry(user, root, (tree) => put(tree, { 'a.txt': 'changed\n' }));
    expect(landing).toMatchObject({ outcome: 'refused', reason: expect.stringMatching(/not clean/) as unknown });
    expect(git(user, 'rev-parse', ':vendor/lib')).toBe(pointer);
    git(user, 'reset', '-q');
    const again = await carry(user, root, (tree) => put(tree, { 'a.txt': 'changed\n' }));
    expect(again.landing).toEqual(LANDED);
    expect(git(user, 'status', '--porcelain')).toBe('M vendor/lib'.padStart(13));
  });

  test('as the user repository itself are worked on like any other', async () => {
    const user = path.join(withSubmodule(), 'vendor/lib');
    git(user, 'checkout', '-q', '-B', 'main');
    const { landing, commit } = await carry(user, root, (tree) =>
      put(tree, { 'lib.txt': 'changed\n', 'new/x.txt': 'x\n' }),
    );
    expect(landing).toEqual(LANDED);
    expect(git(user, 'rev-parse', 'HEAD')).toBe(commit);
    expect(readFileSync(path.join(user, 'lib.txt'), 'utf8')).toBe('changed\n');
    expect(git(user, 'status', '--porcelain')).toBe('');
    expect(existsSync(path.join(user, '../../.git/modules/vendor/lib/lib.txt'))).toBe(false);
  });
});
