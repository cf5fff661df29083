import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type Docker from 'dockerode';
import { connectEngine } from '../../activities/sandbox/engine.ts';
import { configSchema } from '../../core/config.ts';
import { ensureImage } from '../../activities/sandbox/image.ts';
import type { Assertion } from '../../scripts/audit/assertion.ts';
import { otherContainer, OTHER_PORT } from '../../scripts/audit/canaries.ts';
import { runAudit } from '../../scripts/audit/run-audit.ts';
import { describeWithDocker } from '../support/docker.ts';

const AREAS = {
  ...{ step: 35, sidecar: 30, mounts: 7, user: 10, namespaces: 6, 'system calls': 30, 'proc and sys': 15 },
  ...{ files: 20, devices: 8, processes: 10, network: 15, environment: 2, limits: 7, kernel: 1 },
};

/** The line of a host that a configuration allows. */
const CARRIED = new RegExp(`^network/through the gateway to [\\d.]+:${OTHER_PORT}$`);

/** A network of an engine's ordinary kind. */
const NETWORK = `signalbox-audit-test-${process.pid}`;

const config = (sandbox: unknown) => ({ ...configSchema.parse({ sandbox }), project: 'audit' });
const nameOf = ({ area, name }: Assertion): string => `${area}/${name}`;

/** An engine that gives the containers of steps, or of their sidecars, something more. */
function tampering(what: 'step' | 'sidecar', change: (host: Docker.HostConfig) => Docker.HostConfig): Docker {
  const engine = connectEngine(process.env);
  const tampered = Object.create(engine) as Docker;
  tampered.createContainer = (async (options: Docker.ContainerCreateOptions) => {
    const isSidecar = [options.Entrypoint ?? []].flat().some((part) => part.startsWith('UNIX-CONNECT:'));
    const isWanted = what === 'sidecar' ? isSidecar : options.Labels?.['signalbox.step'] !== undefined;
    return await engine.createContainer(
      isWanted ? { ...options, HostConfig: change(options.HostConfig ?? {}) } : options,
    );
  }) as Docker['createContainer'];
  return tampered;
}

describeWithDocker('the audit of a step', () => {
  const engine = connectEngine(process.env);
  /** A host that a configuration allows. */
  let allowed: Awaited<ReturnType<typeof otherContainer>>;
  beforeAll(async () => {
    await engine.createNetwork({ Name: NETWORK });
    allowed = await otherContainer(engine, (await ensureImage({ engine })).reference);
  }, 600_000);
  afterAll(async () => {
    await engine.getNetwork(NETWORK).remove();
    await allowed.remove();
  });

  describe('with the default sandbox', () => {
    let assertions: Assertion[];
    beforeAll(async () => {
      assertions = await runAudit({ engine, config: config({}) });
    }, 600_000);

    test.each(Object.entries(AREAS))('finds nothing wrong with: %s', (area, fewest) => {
      const those = assertions.filter((each) => each.area === area);
      expect(those.length).toBeGreaterThanOrEqual(fewest);
      expect(those.filter(({ passed }) => !passed)).toEqual([]);
    });

    test('looks at nothing twice, and at nothing else', () => {
      expect(new Set(assertions.map(nameOf)).size).toBe(assertions.length);
      expect([...new Set(assertions.map(({ area }) => area))].sort()).toEqual(Object.keys(AREAS).sort());
    });
  });

  // What is loosened at once, and the lines that each of it has to turn red; no other line may be.
  const TAMPERED: [string, { engine: Docker; sandbox?: () => unknown }, Record<string, (string | RegExp)[]>][] = [
    [
      'a profile with holes',
      {
        engine: tampering('step', (host) => ({
          ...host,
          CapAdd: ['NET_RAW'],
          ReadonlyRootfs: false,
          IpcMode: 'host',
          SecurityOpt: ['seccomp=unconfined'],
          Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/dev/kvm', CgroupPermissions: 'rw' }],
          Ulimits: [],
          Mounts: [
            ...(host.Mounts ?? []),
            { Type: 'bind', Source: '/var/run/docker.sock', Target: '/var/run/docker.sock' },
          ],
        })),
      },
      {
        'a capability more': ['step/capabilities added', 'user/CapBnd'],
        'a writable root': [
          'step/read-only root',
          /^files\/create in \/(|etc|usr\/bin|usr\/lib|opt|var\/lib|signalbox)$/,
        ],
        'the host’s ipc namespace': ['step/ipc namespace', 'namespaces/ipc', 'limits//dev/shm'],
        'no seccomp profile, and new privileges': [
          'step/security options',
          ...['user/NoNewPrivs', 'user/Seccomp'],
          ...['system calls/clone into a user namespace', 'system calls/unshare a user namespace'],
          /^system calls\/(keyctl|add_key|quotactl)$/,
        ],
        'a device': ['step/devices', 'devices/others than the ordinary', 'devices/open /dev/kvm'],
        'files of any size': [
          'step/limits',
          'limits/file size',
          'limits/core dumps',
          'limits/write beyond the file size',
        ],
        'the Docker socket': ['mounts/others', /^files\/see (\/var)?\/run\/docker.sock$/, 'files/sockets'],
      },
    ],
    [
      'no bounds, and the host’s network',
      {
        engine: tampering('step', (host) => ({ ...host, NetworkMode: 'host', PidsLimit: 0, Memory: 0, MemorySwap: 0 })),
      },
      {
        'the host’s network': [
          ...['step/network', 'namespaces/net', 'network/interfaces', 'network/routes'],
          /^network\/(connect|send) to (this host|another container|the other task’s loopback)/,
          /^network\/(connect|send) to (the metadata address|the internet|a name server)/,
          /^network\/(through the gateway|resolve)/,
          'network/connect to an abstract socket of the host',
          'network/the gateway answers',
          'network/what came to services of this host',
        ],
        'processes without end': ['step/processes', 'limits/processes'],
        'memory without end': ['step/memory', 'step/memory and swap'],
      },
    ],
    [
      'a sidecar with a network and all of the gateway’s files',
      {
        engine: tampering('sidecar', (host) => ({
          ...host,
          NetworkMode: NETWORK,
          Mounts: (host.Mounts ?? []).map((mount) => ({ ...mount, ReadOnly: false })),
        })),
      },
      {
        'a network': [
          'sidecar/network',
          'network/interfaces',
          'network/routes',
          /^network\/(connect to|send to|resolve) /,
        ],
        'what that lets through': ['network/what came to services of this host'],
        'a mount that it can write to': ['sidecar/mounts'],
      },
    ],
    [
      'a configuration that loosens',
      {
        engine,
        sandbox: () => ({
          ...{ env: ['AUDIT_SECRET'], tmpfs_size: '3GiB', shm_size: '128MiB', cap_add: ['NET_RAW'], read_only: false },
          ...{ security_opt: ['no-new-privileges=false'], devices: ['/dev/full'], ulimits: { fsize: '5GiB' } },
        }),
      },
      {
        env: ['step/a secret of the worker', 'environment/variables', 'environment/a secret of the worker'],
        tmpfs_size: ['step//tmp', 'step//home/signalbox', 'limits//tmp', 'limits//home/signalbox'],
        shm_size: ['step/shared memory', 'limits//dev/shm'],
        cap_add: ['step/capabilities added', 'user/CapBnd'],
        read_only: ['step/read-only root', /^files\/create in \//],
        security_opt: ['step/security options', 'user/NoNewPrivs'],
        devices: ['step/devices'],
        'ulimits.fsize': ['step/limits', 'limits/file size', 'limits/write beyond the file size'],
      },
    ],
    [
      'an allow-list, with addresses that are private',
      {
        engine,
        sandbox: () => ({
          allow: [`${allowed.address}:${OTHER_PORT}`, '169.254.169.254:80', '10.255.255.1:443', 'npm'],
          allow_private: [`${allowed.address}/32`],
        }),
      },
      { 'the one that it may have, through the proxy only': [CARRIED] },
    ],
  ];

  describe.each(TAMPERED)('with %s', (_name, { engine: tampered, sandbox }, holes) => {
    let failed: string[];
    beforeAll(async () => {
      const assertions = await runAudit({ engine: tampered, config: config(sandbox?.() ?? {}) });
      failed = assertions.filter(({ passed }) => !passed).map(nameOf);
    }, 600_000);
    const matches = (rule: string | RegExp, line: string): boolean =>
      typeof rule === 'string' ? rule === line : rule.test(line);

    test.each(Object.entries(holes))('fails for: %s', (_hole, rules) => {
      expect(rules.filter((rule) => !failed.some((line) => matches(rule, line)))).toEqual([]);
    });

    test('fails for nothing else', () => {
      const rules = Object.values(holes).flat();
      expect(failed.filter((line) => !rules.some((rule) => matches(rule, line)))).toEqual([]);
    });
  });

  describe('as a command', () => {
    let project: string;
    beforeAll(() => {
      project = mkdtempSync(path.join(tmpdir(), 'signalbox-audited-'));
      mkdirSync(path.join(project, '.signalbox'));
      writeFileSync(path.join(project, '.signalbox/config.yaml'), 'sandbox: { shm_size: 128MiB }\n');
    });
    afterAll(() => rmSync(project, { recursive: true, force: true }));
    const audit = (...args: string[]) =>
      spawnSync(process.execPath, ['scripts/audit.ts', ...args], { encoding: 'utf8', timeout: 120_000 });

    test('ends with 1 and shows what failed, where a project’s configuration loosens the sandbox', () => {
      const { status, stdout } = audit('--project', project, '--failures');
      expect(stdout).toMatch(/FAIL.*step.*shared memory/);
      expect([status, stdout.trimEnd().split('\n').at(-1)]).toEqual([
        1,
        expect.stringMatching(/^2\d\d passed, 2 failed$/),
      ]);
    });

    test('ends with 0 and prints one JSON object, where nothing is wrong', () => {
      const { status, stdout } = audit('-o', 'json');
      const { ok, result } = JSON.parse(stdout) as { ok: boolean; result: { assertions: Assertion[] } };
      expect([status, ok, result.assertions.every(({ passed }) => passed)]).toEqual([0, true, true]);
    });

    test('ends with 3 and says what to do, where the engine has no such runtime', () => {
      const { status, stderr } = audit('--runtime', 'nothing');
      expect([status, stderr]).toEqual([3, expect.stringContaining('no runtime nothing')]);
    });
  });
});
