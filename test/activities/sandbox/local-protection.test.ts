import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makePrivateDirectory } from '../../../activities/home.ts';
import { LocalProtection } from '../../../activities/sandbox/local-protection.ts';
import { LocalSandbox } from '../../../activities/sandbox/local-sandbox.ts';
import { protectionFacts } from '../../../activities/sandbox/protection-facts.ts';
import type { StepResult } from '../../../activities/sandbox/sandbox.ts';
import type { LimitSettings } from '../../../activities/sandbox/step-limits.ts';
import { configSchema } from '../../../core/config.ts';
import { describeWithBubblewrap, notProven } from '../../support/bubblewrap.ts';
import { createStepBench, until, type StepBench } from '../../support/sandbox-steps.ts';

const MIB = 1024 ** 2;
const hog = (megabytes: number): string => `perl -e '$x = "x" x ${megabytes * 1_000_000}; print length $x'`;
const out = (result: StepResult): string => readFileSync(result.stdoutPath, 'utf8');
const err = (result: StepResult): string => readFileSync(result.stderrPath, 'utf8');

let bench: StepBench;
let found: LocalProtection;
beforeAll(async () => {
  bench = createStepBench();
  found = await LocalProtection.find({ home: bench.home, env: process.env });
});
afterAll(() => {
  bench.remove();
});

const sandboxOf = (limits: LimitSettings = {}, bubblewrap: 'auto' | 'off' = 'auto', env = process.env) =>
  new LocalSandbox({ home: bench.home, gatewayUrl: '', env, limits, bubblewrap });

test('installations of dependencies are told to have the network, where a project has any', () => {
  const told = (checks: unknown): string => protectionFacts(found, configSchema.parse({ checks })).lacks.join('; ');
  expect(told({})).not.toContain('installations');
  const bootstrap = { commands: ['npm ci'], outputs: ['node_modules'], network: 'none' };
  expect(told({ bootstrap })).toContain('installations of dependencies have your network');
});

/** The control groups of a step, while it runs. */
const groupsOf = (name: string): string[] =>
  readFileSync(path.join(bench.home.steps, name, 'groups'), 'utf8')
    .split('\n')
    .filter((line) => path.isAbsolute(line));

describe.each(['auto', 'off'] as const)('limits with bubblewrap: %s', (bubblewrap) => {
  test('a step that takes too much memory is stopped, and one that takes less is not', async () => {
    const sandbox = sandboxOf({ memory: 128 * MIB }, bubblewrap);
    const greedy = await sandbox.run(bench.step(hog(400)));
    expect(greedy.exitCode).not.toBe(0);
    expect(out(greedy)).toBe('');
    expect(greedy.outOfMemory).toBe(found.bounds.has('memory'));
    if (!found.bounds.has('memory')) notProven('that too much memory is told as such', 'no control group bounds it');
    const modest = await sandbox.run(bench.step(hog(20)));
    expect([modest.exitCode, modest.outOfMemory, out(modest)]).toEqual([0, false, '20000000']);
  });

  test('a step that starts processes without end is bounded, and all are dead afterwards', async () => {
    if (!found.bounds.has('pids') && process.getuid?.() === 0) {
      notProven('that the number of processes is bounded', 'no control group bounds those of root');
      return;
    }
    const spec = bench.step('for i in $(seq 200); do sleep 300 & done; echo all');
    const result = await sandboxOf({ pids: 20 }, bubblewrap).run(spec);
    expect(result.exitCode).not.toBe(0);
    expect(err(result)).toMatch(/fork/i);
    const [after] = [await sandboxOf({ pids: 20 }, bubblewrap).run(bench.step('echo fine'))];
    expect(out(after)).toBe('fine\n');
  });

  test('a file that grows too large is cut', async () => {
    const result = await sandboxOf({ fileSize: MIB }, bubblewrap).run(bench.step('head -c 3000000 /dev/zero >large'));
    expect(result.exitCode).not.toBe(0);
    expect(statSync(path.join(bench.workTree, 'large')).size).toBe(MIB);
  });

  test('a step that computes is held to its share of the processors', async () => {
    if (!found.bounds.has('cpu')) {
      notProven('that processor time is bounded', 'no control group bounds it');
      return;
    }
    const spec = bench.step('while ! [ -e stop ]; do :; done');
    const running = sandboxOf({ cpus: 0.1 }, bubblewrap).run(spec);
    const throttled = (): boolean =>
      groupsOf(spec.name).some(
        (group) =>
          existsSync(path.join(group, 'cpu.stat')) &&
          /^nr_throttled [1-9]/m.test(readFileSync(path.join(group, 'cpu.stat'), 'utf8')),
      );
    await until(() => existsSync(path.join(bench.home.steps, spec.name, 'groups')));
    await until(throttled);
    writeFileSync(path.join(bench.workTree, 'stop'), '');
    expect(await running).toMatchObject({ exitCode: 0 });
    rmSync(path.join(bench.workTree, 'stop'));
  });

  test('a step that is over leaves no control group behind', async () => {
    const spec = bench.step('true');
    await sandboxOf({}, bubblewrap).run(spec);
    if (found.bounds.size === 0) notProven('that control groups are removed', 'none can be made');
    expect(groupsOf(spec.name).filter((group) => existsSync(group))).toEqual([]);
  });

  test('a step without its limits is lost, not failed: its command never ran', async () => {
    const spec = bench.step('echo ran');
    const sandbox = sandboxOf({ fileSize: MIB }, bubblewrap);
    const protection = await sandbox.protection();
    const protect = protection.protect.bind(protection);
    protection.protect = (directory, asked) => {
      const { command, timeoutMs } = protect(directory, asked);
      // A group that nobody made.
      const count = command.indexOf(path.join(bench.home.steps, spec.name)) + 4;
      return { command: [...command.slice(0, count), '1', '/nowhere', ...command.slice(count + 1)], timeoutMs };
    };
    expect(await sandbox.run(spec)).toMatchObject({ lost: true, exitCode: null });
  });

  test('what hides by an empty environment in a session of its own is dead when the step is over', async () => {
    if (bubblewrap === 'off' && found.bounds.size === 0) {
      notProven('that what hides from its step dies with it, without bubblewrap', 'no control group can be made');
      return;
    }
    const beat = path.join(bench.workTree, 'beat');
    const spec = bench.step(
      `env -i setsid sh -c 'while :; do echo >>beat; sleep 0.02; done' >/dev/null 2>&1 & until [ -e beat ]; do :; done`,
    );
    await sandboxOf({}, bubblewrap).run(spec);
    const size = statSync(beat).size;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(statSync(beat).size).toBe(size);
    rmSync(beat);
  });
});

test('where bubblewrap is not installed, or is switched off, steps run without it, and the reason is known', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'signalbox-programs-'));
  try {
    for (const program of readdirSync('/usr/bin').filter((name) => name !== 'bwrap'))
      symlinkSync(`/usr/bin/${program}`, path.join(directory, program));
    const without = sandboxOf({}, 'auto', { PATH: directory });
    expect((await without.protection()).bubblewrap.problem).toBe('it is not installed');
    expect(await without.run(bench.step(`test -d ${bench.home.steps}`))).toMatchObject({ exitCode: 0 });
    const off = sandboxOf({}, 'off');
    expect((await off.protection()).bubblewrap.problem).toMatch('off');
    expect(await off.run(bench.step(`test -d ${bench.home.steps}`))).toMatchObject({ exitCode: 0 });
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('a bubblewrap that does not start is not used', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'signalbox-programs-'));
  try {
    const refuses = '#!/bin/sh\necho "bwrap: No permissions to create new namespace" >&2; exit 1\n';
    writeFileSync(path.join(directory, 'bwrap'), refuses, { mode: 0o755 });
    const sandbox = sandboxOf({}, 'auto', { PATH: `${directory}:${process.env['PATH']}` });
    expect((await sandbox.protection()).bubblewrap.problem).toBe('bwrap: No permissions to create new namespace');
    expect(await sandbox.run(bench.step('echo fine'))).toMatchObject({ exitCode: 0 });
  } finally {
    rmSync(directory, { recursive: true });
  }
});

describeWithBubblewrap('a step in bubblewrap', () => {
  const inside = async (command: string, over: Parameters<StepBench['step']>[1] = {}): Promise<string> => {
    const result = await sandboxOf().run(bench.step(command, over));
    return `${out(result)}${err(result)}`.trim();
  };

  test('writes to its work tree, and nowhere else on the host', async () => {
    const outside = mkdtempSync(path.join('/var', 'signalbox-outside-'));
    try {
      const targets = [outside, '/usr', '/etc', path.dirname(bench.workTree)];
      const tried = targets.map((target) => `echo x >${target}/signalbox-mark || echo refused`).join('; ');
      expect((await inside(`${tried}; echo x >mark`)).match(/^refused$/gm)).toHaveLength(3);
      expect(targets.filter((target) => existsSync(path.join(target, 'signalbox-mark')))).toEqual([]);
      expect(existsSync(path.join(bench.workTree, 'mark'))).toBe(true);
    } finally {
      rmSync(outside, { recursive: true });
    }
  });

  test('sees no process but its own, and can signal no other', async () => {
    const seen = await inside(`ls -d /proc/[0-9]* | wc -l; kill -0 ${process.pid} && echo reached`);
    expect(Number(seen.split('\n')[0])).toBeLessThan(8);
    expect(seen).not.toContain('reached');
  });

  test('has no capability that reaches beyond its files, and cannot gain one', async () => {
    const status = await inside('grep -E "^(CapEff|CapBnd|NoNewPrivs)" /proc/self/status');
    const own = process.getuid?.() === 0 ? '000000000000000b' : '0000000000000000';
    expect(status).toMatch(`CapEff:\t${own}`);
    expect(status).toMatch('NoNewPrivs:\t1');
    const tried =
      'mount -t tmpfs none /mnt && echo mounted; mount -o remount,rw / && echo remounted; echo core >/proc/sys/kernel/core_pattern && echo set; echo 1 >/proc/sysrq-trigger && echo triggered';
    expect(await inside(tried)).not.toMatch(/^(mounted|remounted|set|triggered)$/m);
  });

  test('does not see what Signalbox keeps, others’ temporary files or sockets', async () => {
    mkdirSync(bench.home.gateway, { recursive: true });
    writeFileSync(path.join(bench.home.gateway, 'secret'), 'secret');
    const places = [bench.home.gateway, bench.home.repositories, '/run/docker.sock', '/var/run/docker.sock'];
    expect(await inside(places.map((place) => `test ! -e ${place} || echo ${place}`).join('; '))).toBe('');
    const other = mkdtempSync(path.join(tmpdir(), 'signalbox-other-'));
    expect(await inside(`test ! -e ${other} || echo seen`)).toBe('');
    rmSync(other, { recursive: true });
  });

  test('does not see the keys in the user’s home', async () => {
    const userHome = mkdtempSync(path.join('/var', 'signalbox-user-'));
    try {
      mkdirSync(path.join(userHome, '.ssh'));
      for (const name of ['.ssh/id_ed25519', '.netrc', 'notes']) writeFileSync(path.join(userHome, name), 'text\n');
      const sandbox = sandboxOf({}, 'auto', { ...process.env, HOME: userHome });
      const result = await sandbox.run(bench.step(`cd ${userHome} && cat .ssh/id_ed25519; cat .netrc notes`));
      expect(out(result)).toBe('text\n');
    } finally {
      rmSync(userHome, { recursive: true });
    }
  });

  test('has a /tmp of its own, of the size that the configuration says', async () => {
    const result = await sandboxOf({ tmpfs: MIB }).run(
      bench.step('head -c 2000000 /dev/zero >/tmp/filled; stat -c %s /tmp/filled'),
    );
    expect(out(result)).toBe(`${MIB}\n`);
  });

  test('that reaches nothing has loopback only, and one that reaches everything has the host’s network', async () => {
    if (!found.bubblewrap.offline) {
      notProven('that a step has loopback only', 'it gets no network of its own');
      return;
    }
    const count = 'tail -n +3 /proc/net/dev | wc -l';
    expect(await inside(count)).toBe('1');
    const host = readFileSync('/proc/net/dev', 'utf8').trim().split('\n').length - 2;
    expect(await inside(count, { network: 'bridge' })).toBe(String(host));
  });

  test('reaches the model gateway at its address, also one that starts later, and no other service of this host', async () => {
    if (!found.bubblewrap.forwarding) {
      notProven('that a step reaches the gateway and nothing else', 'it gets no network of its own');
      return;
    }
    const socket = path.join(makePrivateDirectory(path.join(bench.home.gateway, 'socket')), 'gateway.sock');
    const answers = (text: string): Server => createServer((_, response) => response.end(text));
    const service = answers('reached').listen(0, '127.0.0.1');
    await once(service, 'listening');
    const { port } = service.address() as AddressInfo;
    const gateway = answers('first').listen(socket);
    await once(gateway, 'listening');
    const get = (at: string): string => `curl -s -m 5 http://127.0.0.1:${at}/ || echo none; echo`;
    const command = `for i in $(seq 20); do curl -s http://127.0.0.1:8790/ & done; wait; echo; ${get(String(port))}; touch asked; until [ -e replaced ]; do sleep 0.05; done; ${get('8790')}`;
    const sandbox = new LocalSandbox({
      home: bench.home,
      env: process.env,
      gatewayUrl: 'http://127.0.0.1:8790',
      gatewaySocket: socket,
    });
    const running = sandbox.run(bench.step(command, { network: 'gateway' }));
    await until(() => existsSync(path.join(bench.workTree, 'asked')));
    gateway.close();
    await once(gateway, 'close');
    const next = answers('second').listen(socket);
    await once(next, 'listening');
    writeFileSync(path.join(bench.workTree, 'replaced'), '');
    const lines = out(await running)
      .split('\n')
      .filter((line) => line !== '');
    expect(lines).toEqual(['first'.repeat(20), 'none', 'second']);
    service.close();
    next.close();
  });

  test('reads what it is given of what is hidden, and writes what it may', async () => {
    const given = path.join(bench.home.repositories, 'given');
    const own = path.join(bench.home.workspaces, 'own');
    for (const directory of [given, own]) mkdirSync(directory, { recursive: true });
    writeFileSync(path.join(given, 'file'), 'given\n');
    const mounts = [
      { source: given, target: given, readOnly: true },
      { source: own, target: own, readOnly: false },
    ];
    expect(
      await inside(`cat ${given}/file; echo x >${given}/new || echo refused; echo x >${own}/new`, { mounts }),
    ).toMatch(/^given\n.*refused$|^given\nrefused/s);
    expect([existsSync(path.join(given, 'new')), existsSync(path.join(own, 'new'))]).toEqual([false, true]);
  });

  test('is asked to end before it is forced to, and its deadline holds though it ends its own clock', async () => {
    const spec = bench.step('trap "echo asked; exit 3" TERM; echo on; while :; do sleep 0.05; done', {
      timeoutMs: 500,
    });
    const result = await sandboxOf().run(spec);
    expect([out(result), result.timedOut]).toEqual(['on\nasked\n', true]);
  });

  test('whose path holds a link works', async () => {
    const link = path.join(path.dirname(bench.workTree), 'link');
    symlinkSync(bench.workTree, link);
    const result = await sandboxOf().run(bench.step('echo x >by-link', { workTree: link }));
    expect([result.exitCode, existsSync(path.join(bench.workTree, 'by-link'))]).toEqual([0, true]);
  });
});
