import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type Place, placeEnvironment, placeOf, writeCommand } from '../../scripts/quickstart/place.ts';
import { endProcess } from '../../scripts/quickstart/processes.ts';

let place: Place;
beforeEach(() => {
  place = placeOf(join(mkdtempSync(join(tmpdir(), 'signalbox-quickstart-')), "it's a checkout"));
});
afterEach(() => rmSync(join(place.root, '..'), { recursive: true, force: true }));

describe('the command of a quickstart', () => {
  test('is signalbox for its repository and home, whatever server the user has configured', () => {
    mkdirSync(join(place.root, 'cli'), { recursive: true });
    const report = 'const { TEMPORAL_ADDRESS, SIGNALBOX_HOME } = process.env;';
    writeFileSync(
      join(place.root, 'cli/signalbox.js'),
      `${report}\nconsole.log(JSON.stringify([process.argv.slice(2), TEMPORAL_ADDRESS ?? null, SIGNALBOX_HOME]))\n`,
    );
    const env = { PATH: process.env.PATH, TEMPORAL_ADDRESS: 'example.com:7233', SIGNALBOX_HOME: '/elsewhere' };
    writeCommand(place, join(place.directory, 'a repository'), placeEnvironment(place, env));
    const printed = execFileSync(place.command, ['run', 'describe', "it's"], { env, encoding: 'utf8' });
    expect(JSON.parse(printed)).toEqual([
      ['-C', join(place.directory, 'a repository'), 'run', 'describe', "it's"],
      null,
      place.home,
    ]);
  });
});

describe('ending a process', () => {
  test('waits until it is gone, and leaves one alone that is not the one that is meant', async () => {
    const child = spawn('sleep', ['987']);
    const ended = once(child, 'exit');
    await endProcess(child.pid!, ['sleep', '988']);
    expect([child.exitCode, child.signalCode]).toEqual([null, null]);
    await endProcess(child.pid!, ['sleep', '987']);
    await ended;
    expect(child.signalCode).toBe('SIGTERM');
  });
});
