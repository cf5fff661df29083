import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { DOCKERFILE, readBuildContext } from '../../../activities/sandbox/build-context.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'signalbox-context-'));
  write('a.txt', 'a');
  write('src/b.txt', 'b');
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

function write(file: string, text: string): void {
  mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
  writeFileSync(path.join(root, file), text);
}

const digest = async (): Promise<string> => (await readBuildContext(root)).digest;

/** The names in the archive that the engine gets. */
async function packed(directory: string | null): Promise<string[]> {
  const { pack } = await readBuildContext(directory);
  const archive = await buffer(pack('FROM scratch\n'));
  return execFileSync('tar', ['-tf', '-'], { input: archive, encoding: 'utf8' }).trim().split('\n').sort();
}

test('a change of a content, a mode, a name or a link makes another digest; the same files make the same', async () => {
  const seen = [await digest()];
  write('a.txt', 'A');
  seen.push(await digest());
  chmodSync(path.join(root, 'a.txt'), 0o755);
  seen.push(await digest());
  write('c.txt', '');
  seen.push(await digest());
  symlinkSync('a.txt', path.join(root, 'link'));
  seen.push(await digest());
  expect(new Set(seen).size).toBe(5);
  expect(await digest()).toBe(seen[4]);
});

test('what .dockerignore names is not sent and not looked at, except for exceptions; neither is .git', async () => {
  write('.dockerignore', 'node_modules\n*.log\n!keep.log\n');
  for (const file of ['node_modules/x/y.js', 'drop.log', 'keep.log', '.git/HEAD']) write(file, 'x');
  const before = await digest();
  write('node_modules/x/y.js', 'changed');
  write('.git/HEAD', 'changed');
  expect(await digest()).toBe(before);
  expect(await packed(root)).toEqual(['.dockerignore', DOCKERFILE, 'a.txt', 'keep.log', 'src/b.txt']);
});

test('links are sent as links, and what is no file is left out', async () => {
  symlinkSync('/etc/passwd', path.join(root, 'link'));
  execFileSync('mkfifo', [path.join(root, 'pipe')]);
  expect(await packed(root)).toEqual([DOCKERFILE, 'a.txt', 'link', 'src/b.txt']);
});

test('a build that sees nothing gets its Dockerfile alone', async () => {
  expect(await packed(null)).toEqual([DOCKERFILE]);
});
