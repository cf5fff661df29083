import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { findOutputs, globWithoutOutput, trackedOutput } from '../../../activities/bootstrap/find-outputs.ts';
import { git, put } from '../git/support.ts';

let tree: string;
beforeEach(() => {
  tree = mkdtempSync(path.join(tmpdir(), 'signalbox-outputs-'));
});
afterEach(() => rmSync(tree, { recursive: true, force: true }));

describe('the outputs of a bootstrap', () => {
  test('are the topmost matches, at the root and below, files as well as directories', () => {
    put(tree, {
      'node_modules/a/index.js': '',
      'node_modules/a/node_modules/b/index.js': '',
      'packages/x/node_modules/c/index.js': '',
      'packages/y/src/index.js': '',
      'packages/y/deep/node_modules/d.js': '',
      'build/.done': '',
      'weird [1]/*/node_modules/e.js': '',
    });
    const found = (...globs: string[]): string[] => findOutputs(tree, globs);
    expect(found('node_modules', 'packages/*/node_modules')).toEqual(['node_modules', 'packages/x/node_modules']);
    expect(found('**/node_modules', 'build/.done')).toEqual([
      'build/.done',
      'node_modules',
      'packages/x/node_modules',
      'packages/y/deep/node_modules',
      'weird [1]/*/node_modules',
    ]);
    expect(found('node_module', 'packages/node_modules')).toEqual([]);
  });

  test('are never looked for through links, nor in a git directory', () => {
    put(tree, { 'real/deps/a': '', '.git/deps/b': '' });
    symlinkSync('real', path.join(tree, 'link'));
    symlinkSync('/nonexistent', path.join(tree, 'deps'));
    expect(findOutputs(tree, ['**/deps'])).toEqual(['deps', 'real/deps']);
  });

  test('miss a glob that matches none of them and could match nothing in them', () => {
    expect(globWithoutOutput(['deps', 'deps/bin', 'packages/*/deps'], ['deps', 'packages/a/deps'])).toBeNull();
    expect(globWithoutOutput(['deps', 'dist'], ['deps'])).toBe('dist');
    expect(globWithoutOutput(['deps'], [])).toBe('deps');
  });

  test('must not be tracked by git, nor hold what is', () => {
    git(tree, 'init', '-q');
    put(tree, { 'src/index.js': '', 'packages/a/dist/keep.txt': '', 'node_modules.txt': '' });
    git(tree, 'add', '.');
    const tracked = (...globs: string[]): string | null => trackedOutput(path.join(tree, '.git', 'index'), globs);
    expect(tracked('node_modules', 'packages/*/node_modules')).toBeNull();
    expect(tracked('node_modules', 'packages/*/dist')).toBe('packages/a/dist/keep.txt');
    expect(tracked('src/*.js')).toBe('src/index.js');
    expect(tracked('src')).toBe('src/index.js');
  });
});
