import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import { standingMerges, taskHistory } from '../../../activities/git/merged-tasks.ts';
import { mergeMessage, type MergeStyle } from '../../../core/merge-message.ts';

const root = mkdtempSync(path.join(tmpdir(), 'signalbox-merged-'));
const OURS = 'Signalbox <signalbox@localhost>';
let directory = '';
let made = 0;

beforeEach(() => {
  made += 1;
  directory = path.join(root, String(made));
  execFileSync('git', ['init', '-q', '-b', 'main', directory]);
  commit('first');
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function git(...args: string[]): string {
  const identity = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.org'];
  return execFileSync('git', [...identity, ...args], { cwd: directory, encoding: 'utf8', stdio: 'pipe' }).trim();
}

function commit(message: string, ...more: string[]): string {
  git('commit', '-q', '--allow-empty', '-m', message, ...more);
  return git('rev-parse', 'HEAD');
}

/** Merges a task's work as the train does. */
function merge(
  task: string,
  { style = 'merge', author = OURS, description }: { style?: MergeStyle; author?: string; description?: string } = {},
): string {
  const tip = git('rev-parse', 'HEAD');
  git('checkout', '-q', '--detach');
  execFileSync('sh', ['-c', `echo ${task} >> ${task}.txt`], { cwd: directory });
  git('add', '.');
  const work = commit(`${task}, attempt 1: turn 1`, '--author', OURS);
  git('checkout', '-q', 'main');
  const tree = git('rev-parse', `${work}^{tree}`);
  const message = mergeMessage({ ...noteOf(task), name: task, description, style });
  const [name = '', email = ''] = author.replace('>', '').split(' <');
  const parents = style === 'merge' ? ['-p', tip, '-p', work] : ['-p', tip];
  const merged = execFileSync('git', ['commit-tree', tree, ...parents, '-m', message], {
    cwd: directory,
    encoding: 'utf8',
    env: {
      ...process.env,
      ...{ GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email, GIT_COMMITTER_NAME: name, GIT_COMMITTER_EMAIL: email },
    },
  }).trim();
  git('merge', '-q', '--ff-only', merged);
  return merged;
}

function noteOf(task: string) {
  return { project: 'demo', run: 'r1', task, attempt: 1, digest: 'ab'.repeat(32) };
}

async function merged(tip = 'HEAD'): Promise<string[]> {
  const history = await taskHistory(path.join(directory, '.git'), git('rev-parse', tip));
  return standingMerges([history]).map(({ task }) => task);
}

describe('a history of merged tasks', () => {
  test('has those that are in it, the newest first, with what their messages say', async () => {
    const first = merge('a');
    commit('of the user');
    merge('b');
    expect(await merged()).toEqual(['b', 'a']);
    expect(await merged(`${first}^`)).toEqual([]);
    const history = await taskHistory(path.join(directory, '.git'), first);
    expect(standingMerges([history])).toEqual([{ ...noteOf('a'), commit: first }]);
  });

  test('has no merge that was reverted, until the revert was reverted', async () => {
    const commitOfA = merge('a');
    merge('b');
    git('revert', '--no-edit', '-m', '1', commitOfA);
    expect(git('log', '-1', '--format=%B')).toContain('This reverts commit');
    expect(await merged()).toEqual(['b']);
    git('revert', '--no-edit', 'HEAD');
    expect(await merged()).toEqual(['b', 'a']);
    git('revert', '--no-edit', 'HEAD');
    expect(await merged()).toEqual(['b']);
    merge('a');
    expect(await merged()).toEqual(['a', 'b']);
  });

  test('has no merge whose work was reverted, also where the revert tells an abbreviated id', async () => {
    const a = merge('a');
    git('revert', '--no-edit', `${a}^2`);
    expect(await merged()).toEqual([]);
    const b = merge('b');
    commit(`Take b back\n\nThis reverts commit ${b.slice(0, 9)} (Merge task b, 2026-11-21).`);
    expect(await merged()).toEqual([]);
  });

  test('takes no task’s description for a revert', async () => {
    const a = merge('a');
    merge('b', { description: `This reverts commit ${a}.` });
    expect(await merged()).toEqual(['b', 'a']);
  });

  test('takes reverts of one repository for the merges of another', async () => {
    const a = merge('a');
    const before = await taskHistory(path.join(directory, '.git'), a);
    git('revert', '--no-edit', '-m', '1', a);
    const after = await taskHistory(path.join(directory, '.git'), git('rev-parse', 'HEAD'), a);
    expect(after.merges).toEqual([]);
    expect(standingMerges([after, before])).toEqual([]);
  });

  test('has those that were squashed, and those by whomever the configuration names', async () => {
    const a = merge('a', { style: 'squash' });
    merge('b', { author: 'Build Bot <bot@example.org>' });
    expect(await merged()).toEqual(['b', 'a']);
    git('revert', '--no-edit', a);
    expect(await merged()).toEqual(['b']);
    git('revert', '--no-edit', 'HEAD');
    expect(await merged()).toEqual(['b', 'a']);
  });

  test('has what was squashed also where the user’s rebase or cherry-pick made it anew, until that is reverted', async () => {
    git('checkout', '-q', '-b', 'mine');
    commit('mine');
    git('checkout', '-q', 'main');
    const a = merge('a', { style: 'squash' });
    git('rebase', '-q', 'mine');
    expect(await merged()).toEqual(['a']);
    git('reset', '-q', '--hard', 'mine');
    expect(await merged()).toEqual([]);
    git('cherry-pick', '-x', a);
    expect(await merged()).toEqual(['a']);
    git('revert', '--no-edit', 'HEAD');
    expect(await merged()).toEqual([]);
  });

  test('has no commit that only quotes what another says: a squash of many, a fixup, one that joins three', async () => {
    const message = mergeMessage({ ...noteOf('a'), name: 'a', description: undefined });
    commit(`All of it\n\n${message}`);
    commit(`fixup! ${message}`);
    commit(`Squashed commit of the following:\n\n${message.replaceAll(/^/gm, '    ')}`);
    const tree = git('rev-parse', 'HEAD^{tree}');
    const parents = ['one', 'two', 'three'].flatMap((name) => ['-p', git('commit-tree', tree, '-m', name)]);
    git('reset', '-q', '--hard', git('commit-tree', tree, ...parents, '-m', message));
    expect(await merged()).toEqual([]);
  });

  test('is found in a merge that the user’s rebase made anew', async () => {
    git('checkout', '-q', '-b', 'mine');
    commit('mine');
    git('checkout', '-q', 'main');
    merge('a');
    git('rebase', '-q', '--rebase-merges', 'mine');
    expect(await merged()).toEqual(['a']);
    expect(git('log', '-1', '--format=%ce')).toBe('ada@example.org');
  });

  test('does not depend on what the user’s configuration makes of messages', async () => {
    merge('a');
    for (const [key, value] of [
      ['i18n.logOutputEncoding', 'UTF-16'],
      ['grep.patternType', 'fixed'],
      ['log.showSignature', 'true'],
      ['log.mailmap', 'true'],
    ] as const)
      git('config', key, value);
    expect(await merged()).toEqual(['a']);
  });

  test('passes over a known commit that is not there', async () => {
    merge('a');
    const history = await taskHistory(path.join(directory, '.git'), git('rev-parse', 'HEAD'), 'ab'.repeat(20));
    expect(history.merges).toHaveLength(1);
  });
});
