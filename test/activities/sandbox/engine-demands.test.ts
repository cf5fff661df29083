import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { defaultUser } from '../../../activities/sandbox/container-profile.ts';
import {
  engineLimits,
  requireDevices,
  requireRuntime,
  requireUser,
} from '../../../activities/sandbox/engine-demands.ts';

const GIB = 1024 ** 3;
const engine = {
  ...{ available: true as const, version: '20.10.24', apiVersion: '1.41', os: 'linux' },
  ...{ rootless: false, runtimes: ['runc', 'runsc'], cpus: 2, memory: 6 * GIB },
};

test('a runtime that the engine does not know is refused with what to do', () => {
  expect(() => requireRuntime(engine, 'kata')).toThrow(
    expect.objectContaining({
      code: 'environment',
      message: 'the Docker engine has no runtime kata',
      hint: expect.stringMatching(/daemon\.json.*runc, runsc/),
    }),
  );
  requireRuntime(engine, 'runsc');
  requireRuntime(engine, undefined);
});

describe('the user of steps', () => {
  test.each(['0', '0:0', '00', '0:1000', '1000:0'])('%s is refused: it is root of the host', (user) => {
    expect(() => requireUser(engine, user)).toThrow(expect.objectContaining({ code: 'config' }));
  });

  test.each(['root', '1000:', '-1', '1:2:3'])('%s is refused: it is no number', (user) => {
    expect(() => requireUser(engine, user)).toThrow(expect.objectContaining({ code: 'config' }));
  });

  test('may be root inside where the engine is not root outside', () => {
    expect(requireUser({ ...engine, rootless: true }, '0')).toEqual({ uid: 0, gid: 0 });
    expect(requireUser({ ...engine, rootless: true }, undefined)).toEqual({ uid: 0, gid: 0 });
  });

  test('is the one that is named, and by default never root', () => {
    expect(requireUser(engine, '1000')).toEqual({ uid: 1000, gid: 1000 });
    expect(requireUser(engine, '1000:2000')).toEqual({ uid: 1000, gid: 2000 });
    expect(requireUser(engine, undefined)).toEqual(defaultUser(false));
    expect(defaultUser(false).uid).not.toBe(0);
  });
});

test('limits never ask for more processors than the engine’s machine has, and have defaults for it', () => {
  expect(engineLimits(engine)).toEqual({ memory: 6 * GIB, cpus: 2 });
  expect(engineLimits(engine, { cpus: 8, pids: 10, memory: 9 * GIB })).toEqual({ cpus: 2, pids: 10, memory: 9 * GIB });
  expect(engineLimits({ ...engine, cpus: 64, memory: 256 * GIB })).toEqual({ memory: 8 * GIB, cpus: 4 });
});

describe('the devices of steps', () => {
  test('are single ones, whatever their names lead to', () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'signalbox-devices-'));
    try {
      const link = path.join(directory, 'harmless');
      symlinkSync('/dev/kmsg', link);
      for (const device of [link, '/dev/pts', '/dev/kmsg', '/etc/hostname'])
        expect(() => requireDevices([device])).toThrow(expect.objectContaining({ code: 'config' }));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test('may be on another host than this', () => {
    requireDevices(['/dev/null', '/dev/signalbox-none']);
    requireDevices();
  });
});
