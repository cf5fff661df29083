import { afterEach, beforeEach, expect, test } from '@jest/globals';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { CheckoutPool } from '../../../activities/git/checkout-pool.ts';
import { snapshot } from '../../../activities/git/snapshot.ts';
import { author, git, makeFixture, put, type Fixture } from './support.ts';

let fixture: Fixture;
let pool: CheckoutPool;
let next: string;

beforeEach(async () => {
  fixture = await makeFixture({
    'README.md': 'hello\n',
    'src/a.txt': 'a\n',
    'src/same.txt': 'same\n',
    '.gitignore': 'build/\n',
  });
  pool = another();
  next = fixture.commitFiles(fixture.base, { 'src/a.txt': 'next\n', 'src/b/c.txt': 'c\n' });
});
afterEach(() => fixture.remove());

/** The pool as another process sees it. */
function another(): CheckoutPool {
  return new CheckoutPool({ bare: fixture.bare, directory: path.join(fixture.root, 'pool') });
}

function state(directory: string): string {
  return git(directory, 'status', '--porcelain', '--ignored', '--untracked-files=all');
}

test('a checkout is exactly the commit, with a git of its own', async () => {
  const { directory, reused } = await pool.acquire('k', next);
  expect(reused).toBe(false);
  expect(git(directory, 'rev-parse', 'HEAD')).toBe(next);
  expect(state(directory)).toBe('');
  expect(git(directory, 'ls-files').split('\n')).toEqual([
    '.gitignore',
    'README.md',
    'src/a.txt',
    'src/b/c.txt',
    'src/same.txt',
  ]);
  expect(readFileSync(path.join(directory, 'src/a.txt'), 'utf8')).toBe('next\n');
});

test('a key gets its own checkout back untouched, from another process too, until it is released', async () => {
  const first = await pool.acquire('k', fixture.base);
  put(first.directory, { 'half-done.txt': 'x' });
  expect(await another().acquire('k', fixture.base)).toEqual({ directory: first.directory, reused: true });
  expect(existsSync(path.join(first.directory, 'half-done.txt'))).toBe(true);
  await expect(pool.acquire('k', next)).rejects.toMatchObject({ code: 'refused' });
  pool.release('k');
  const again = await pool.acquire('k', fixture.base);
  expect(again.reused).toBe(false);
  expect(state(again.directory)).toBe('');
});

test('keys never share a checkout, and released ones are used again', async () => {
  const pools = [pool, another(), another()];
  const held = await Promise.all(
    Array.from({ length: 9 }, (_, n) => pools[n % 3]!.acquire(`k${n}`, n % 2 ? next : fixture.base)),
  );
  expect(new Set(held.map((checkout) => checkout.directory)).size).toBe(9);
  const inode = statSync(held[0]!.directory).ino;
  pool.release('k0');
  const { directory } = await another().acquire('other', next);
  expect(statSync(directory).ino).toBe(inode);
});

test('everything that a step left is gone at the next acquire: files, modes, links, repositories, sly changes', async () => {
  const { directory } = await pool.acquire('k', fixture.base);
  put(directory, {
    'untracked.txt': 'x',
    'build/out.o': 'x',
    'README.md': 'HELLO\n',
    'nested/.git/config': '',
    'nested/x': '',
  });
  const sly = path.join(directory, 'src/same.txt');
  const { atime, mtime } = statSync(sly);
  writeFileSync(sly, 'SAME\n');
  utimesSync(sly, atime, mtime);
  chmodSync(path.join(directory, 'src/a.txt'), 0o755);
  mkdirSync(path.join(directory, 'closed/inner'), { recursive: true });
  put(directory, { 'closed/inner/x': 'x' });
  chmodSync(path.join(directory, 'closed/inner'), 0o000);
  chmodSync(path.join(directory, 'closed'), 0o500);
  chmodSync(path.join(directory, 'src'), 0o555);
  pool.release('k');
  const again = await pool.acquire('k2', fixture.base);
  expect(state(again.directory)).toBe('');
  expect(readFileSync(path.join(again.directory, 'src/same.txt'), 'utf8')).toBe('same\n');
  expect(statSync(path.join(again.directory, 'src')).mode & 0o777).toBe(0o755);
  expect(existsSync(path.join(again.directory, 'closed'))).toBe(false);
});

test('a file that has a second name somewhere else is replaced, so that nobody writes to it from there', async () => {
  const { directory } = await pool.acquire('k', fixture.base);
  const elsewhere = path.join(fixture.root, 'elsewhere');
  linkSync(path.join(directory, 'README.md'), elsewhere);
  pool.release('k');
  const again = await pool.acquire('k2', fixture.base);
  writeFileSync(elsewhere, 'rewritten\n');
  expect(readFileSync(path.join(again.directory, 'README.md'), 'utf8')).toBe('hello\n');
});

test('a preparation that was cut off is made anew', async () => {
  const { directory } = await pool.acquire('k', fixture.base);
  const slot = path.dirname(directory);
  rmSync(path.join(slot, 'ready'));
  writeFileSync(path.join(slot, 'index.lock'), '');
  put(directory, { 'src/a.txt': 'half written' });
  rmSync(path.join(directory, 'README.md'));
  expect(await another().acquire('k', next)).toEqual({ directory, reused: false });
  expect(state(directory)).toBe('');
});

test('releasing what is not held does nothing', () => {
  expect(() => pool.release('never')).not.toThrow();
});

test('a workspace that is not needed any more becomes the checkout of what was snapshotted in it, and nothing else of it stays', async () => {
  const workspace = await fixture.workspace();
  put(workspace.tree, { 'src/new.txt': 'new\n', 'build/out.o': 'ignored', 'src/a.txt': 'changed\n' });
  const { commit } = await snapshot({
    bare: fixture.bare,
    workspaceDirectory: workspace.directory,
    parent: fixture.base,
    ref: 'refs/signalbox/r/t/1',
    message: 'turn 1',
    author,
  });
  put(workspace.tree, {
    'late.txt': 'written after the snapshot',
    'README.md': 'hullo\n',
    '.git/hooks/post-checkout': '',
  });
  const { directory } = await pool.acquire('k', commit, workspace.directory);
  expect(existsSync(workspace.tree)).toBe(false);
  expect(state(directory)).toBe('');
  expect(git(directory, 'rev-parse', 'HEAD')).toBe(commit);
  expect(readFileSync(path.join(directory, 'README.md'), 'utf8')).toBe('hello\n');
  expect(readFileSync(path.join(directory, 'src/a.txt'), 'utf8')).toBe('changed\n');
  expect(existsSync(path.join(directory, 'build'))).toBe(false);
  expect(existsSync(path.join(directory, '.git/hooks'))).toBe(false);
});

test('a workspace whose tree is gone gives nothing to the pool', async () => {
  const workspace = await fixture.workspace();
  await pool.acquire('k', fixture.base, workspace.directory);
  pool.giveSpare(workspace.directory);
  const { directory } = await pool.acquire('k2', next, workspace.directory);
  expect(state(directory)).toBe('');
});
