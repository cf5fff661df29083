import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { homeOf } from '../../activities/home.ts';
import type { RunDescription } from '../../core/description.ts';
import type { Finding } from '../../workers/doctor.ts';
import { bubblewrap, describeWithBubblewrap } from '../support/bubblewrap.ts';
import { CliWorld } from '../support/cli.ts';

const PATIENCE = 120_000;

let world: CliWorld;

beforeAll(() => {
  world = new CliWorld().init();
  const home = homeOf(world.env);
  const agent =
    `cat > /dev/null; for d in ${world.root} /usr; do (echo x > $d/signalbox-outside) 2>/dev/null; done; ` +
    `cat ${home.root}/planted ${world.repository}/planted 2>/dev/null > seen; ` +
    'ls -d /proc/[0-9]* | wc -l > processes; git log --oneline -1 > log; echo done > written';
  world.config(`agent: { provider: command, command: ${JSON.stringify(agent)} }
checks: { doctor: 'test -e written -a -s log && ! (echo x > /usr/signalbox-outside) 2>/dev/null' }
sandbox: { pids: 64, memory: 512MiB }
`);
  world.task('001', 'files: { writes: ["**"] }').commit('a task');
  mkdirSync(home.root, { recursive: true });
  writeFileSync(path.join(home.root, 'planted'), 'planted');
});

afterAll(async () => {
  world.killWorkers();
  await world.signalbox('server', 'stop');
  world.remove();
});

describeWithBubblewrap('a run on the host in bubblewrap', () => {
  test(
    'does its work, writes nowhere else, and says at its start what it is not kept from',
    async () => {
      const { code, json, stderr } = await world.signalbox('run', 'start', '--backend', 'local', '-o', 'json');
      expect({ code, error: json?.error }).toEqual({ code: 0, error: undefined });
      expect((json?.result as RunDescription).tasks['001']).toMatchObject({ status: 'merged' });
      for (const place of [world.root, '/usr']) expect(existsSync(path.join(place, 'signalbox-outside'))).toBe(false);
      expect(world.git('show', 'main:seen')).toBe('');
      expect(Number(world.git('show', 'main:processes'))).toBeLessThan(10);
      expect(stderr).toMatch(/^steps run on this host, not in containers: .*can read your files/m);
    },
    PATIENCE,
  );
});

describe('a run on the host', () => {
  test('without bubblewrap says that steps can write what their user can', async () => {
    world
      .config(`checks: { doctor: 'true' }\nsandbox: { bubblewrap: off, env: [SIGNALBOX_TEST_TOKEN], cpus: 64 }\n`)
      .task('002')
      .commit('another task');
    const { stderr } = await world.signalbox('run', 'start', '--backend', 'local', '--dry-run');
    expect(stderr).toMatch(/can read and write all that you can.*sandbox.bubblewrap is off/);
    expect(stderr).toMatch(/the sandbox is loosened by env SIGNALBOX_TEST_TOKEN: /);
    expect(stderr).toMatch(/the sandbox is loosened by cpus 64: /);
  });

  test('is what the doctor tells of: what holds, and what does not', async () => {
    const { json } = await world.signalbox('doctor', '-o', 'json');
    const findings = (json?.result as { findings: Finding[] }).findings.filter(({ name }) => name === 'local');
    // By the project's own configuration.
    expect(findings.map(({ message }) => message)).toEqual([
      expect.stringContaining('files of 4.0 GiB'),
      expect.stringMatching(/can read and write all that you can.*sandbox.bubblewrap is off/),
    ]);
    world.config(`checks: { doctor: 'true' }\nsandbox: { ulimits: { fsize: 1GiB } }\n`);
    const again = (await world.signalbox('doctor', '-o', 'json')).json?.result as { findings: Finding[] };
    expect(again.findings.filter(({ name }) => name === 'local').map(({ message }) => message)).toEqual([
      expect.stringContaining('files of 1.0 GiB'),
      expect.stringMatching(
        bubblewrap.problem === null ? /can read your files/ : /can read and write all that you can/,
      ),
    ]);
  });
});
