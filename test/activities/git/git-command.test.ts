import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { requireGit, runGit } from '../../../activities/git/git-command.ts';
import { diskFailure } from '../../../activities/system-errors.ts';

let directory: string;
let inherited: string | undefined;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'signalbox-command-'));
  inherited = process.env['PATH'];
});
afterEach(() => {
  process.env['PATH'] = inherited;
  rmSync(directory, { recursive: true });
});

/** Puts a shell script in the place of git. */
function fakeGit(text: string): void {
  writeFileSync(path.join(directory, 'git'), `#!/bin/sh\n${text}\n`);
  chmodSync(path.join(directory, 'git'), 0o755);
  process.env['PATH'] = `${directory}:${inherited ?? ''}`;
}

describe('running git', () => {
  test('passes input and returns bytes', async () => {
    const { stdout } = await runGit(['hash-object', '--stdin'], { input: 'hello\n' });
    expect(stdout.toString()).toBe('ce013625030ba8dba906f756967f9e9ca394464a\n');
  });

  test('hands on no GIT_ variable, and reads no configuration but its own', async () => {
    process.env['GIT_DIR'] = '/nonexistent';
    process.env['GIT_CONFIG_PARAMETERS'] = "'core.fsmonitor=evil'";
    try {
      const { stdout } = await runGit(['config', '--list', '--show-scope'], { cwd: directory });
      expect(new Set(stdout.toString().match(/^\w+/gm))).toEqual(new Set(['command']));
      expect(stdout.toString()).not.toContain('evil');
    } finally {
      delete process.env['GIT_DIR'];
      delete process.env['GIT_CONFIG_PARAMETERS'];
    }
  });

  test('that fails carries the command, exit code and both streams', async () => {
    const failure = runGit(['rev-parse', '--verify', 'nothing'], { cwd: directory });
    await expect(failure).rejects.toMatchObject({
      code: 'command_failed',
      facts: {
        command: 'git rev-parse --verify nothing',
        exitCode: 128,
        stderr: expect.stringMatching(/fatal/) as unknown,
      },
    });
    expect(
      (await runGit(['rev-parse', '--verify', 'nothing'], { cwd: directory, allowedExitCodes: [128] })).exitCode,
    ).toBe(128);
  });

  test('without git on the path is an environment error', async () => {
    process.env['PATH'] = directory;
    await expect(runGit(['version'])).rejects.toMatchObject({
      code: 'environment',
      hint: expect.stringMatching(/Install/) as unknown,
    });
  });

  test('with a git that is too old is refused, with any newer accepted', async () => {
    fakeGit('echo git version 2.37.9');
    await expect(requireGit()).rejects.toMatchObject({ code: 'environment', message: 'git 2.37.9 is too old' });
    fakeGit('echo git version 3.0.0-rc1');
    expect(await requireGit()).toBe('3.0.0');
  });

  test('on a full disk says so', async () => {
    fakeGit('echo "fatal: write error: No space left on device" >&2; exit 128');
    await expect(runGit(['version'])).rejects.toMatchObject({ code: 'environment', message: 'disk full' });
    expect(diskFailure(Object.assign(new Error('write'), { code: 'ENOSPC' }))?.message).toBe('disk full');
    expect(diskFailure(new Error('something else'))).toBeNull();
  });

  test('keeps output within its bound', async () => {
    fakeGit('while :; do echo line; done');
    await expect(runGit(['version'], { maxOutput: 1000 })).rejects.toMatchObject({ code: 'internal' });
    const cut = await runGit(['version'], { maxOutput: 1000, overflow: 'cut' });
    expect([cut.stdout.length, cut.truncated]).toEqual([1000, true]);
  });

  test('ends when it is aborted, and does not start when it was', async () => {
    fakeGit('exec sleep 60');
    const controller = new AbortController();
    const running = runGit(['version'], { signal: controller.signal });
    controller.abort(new Error('stop'));
    await expect(running).rejects.toThrow('stop');
    await expect(runGit(['version'], { signal: controller.signal })).rejects.toThrow('stop');
  });
});
