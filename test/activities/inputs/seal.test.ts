import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { homeOf, type Home } from '../../../activities/home.ts';
import { seal, unseal } from '../../../activities/inputs/seal.ts';
import { packageRoot } from '../../../activities/package-root.ts';

let home: Home;
beforeEach(() => {
  home = homeOf({ SIGNALBOX_HOME: path.join(mkdtempSync(path.join(tmpdir(), 'signalbox-seal-')), 'home') });
});
afterEach(() => rmSync(path.dirname(home.root), { recursive: true, force: true }));

test('a sealed text opens for what it was sealed for, never looks the same, and shows nothing', () => {
  const sealed = [seal(home, ['r1', 'a'], 'sécret\n'), seal(home, ['r1', 'a'], 'sécret\n')];
  expect(sealed.map((one) => unseal(home, ['r1', 'a'], one))).toEqual(['sécret\n', 'sécret\n']);
  expect(sealed[0]).not.toBe(sealed[1]);
  expect(unseal(home, [], seal(home, [], ''))).toBe('');
  expect(statSync(path.join(home.root, 'sealing-key')).mode & 0o777).toBe(0o600);
  for (const other of [['r1', 'b'], ['r1'], ['r1","a'], ['r1', 'a', '']])
    expect(() => unseal(home, other, sealed[0] ?? '')).toThrow(/cannot be opened/);
});

test.each(['', 'v1', 'v1.', 'v2.AAAA', 'v1.AAAA', `v1.${'A'.repeat(60)}`])('%j is nothing that was sealed', (text) => {
  expect(() => unseal(home, ['x'], text)).toThrow(/cannot be opened/);
});

test('a text sealed in another home, or with a key that was lost, does not open; a broken key is told', () => {
  const sealed = seal(home, ['x'], 'text');
  const key = path.join(home.root, 'sealing-key');
  rmSync(key);
  expect(() => unseal(home, ['x'], sealed)).toThrow(/cannot be opened/);
  writeFileSync(key, 'short');
  expect(() => seal(home, ['x'], 'text')).toThrow(/is no key/);
});

test('processes that seal at once for the first time make one key', async () => {
  const script = `
    import { homeOf } from ${JSON.stringify(path.join(packageRoot(), 'activities/home.ts'))};
    import { seal } from ${JSON.stringify(path.join(packageRoot(), 'activities/inputs/seal.ts'))};
    console.log(seal(homeOf(process.env), ['x'], 'text'));`;
  const env = { ...process.env, SIGNALBOX_HOME: home.root };
  const node = [...process.execArgv.filter((flag) => flag.startsWith('--disable-warning')), '--input-type=module'];
  const run = promisify(execFile);
  const all = await Promise.all(
    Array.from({ length: 6 }, () => run(process.execPath, [...node, '-e', script], { env })),
  );
  for (const { stdout } of all) expect(unseal(home, ['x'], stdout.trim())).toBe('text');
  expect(readFileSync(path.join(home.root, 'sealing-key'))).toHaveLength(32);
}, 60_000);
