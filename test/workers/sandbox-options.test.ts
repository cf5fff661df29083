import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type Docker from 'dockerode';
import type { ContainerInspectInfo } from 'dockerode';
import { homeOf } from '../../activities/home.ts';
import { egressOf } from '../../activities/models/egress-grant.ts';
import { ArtefactStore } from '../../activities/records/artefact-store.ts';
import { ManifestReader } from '../../activities/records/manifest-reader.ts';
import { createSandbox } from '../../activities/sandbox/create-sandbox.ts';
import { connectEngine, unlessStatus } from '../../activities/sandbox/engine.ts';
import { containerName, sidecarName, stepSidecarName } from '../../activities/sandbox/labels.ts';
import type { StepSpec } from '../../activities/sandbox/sandbox.ts';
import { stepName } from '../../core/ids.ts';
import { loosenings } from '../../core/loosened.ts';
import { sandboxSchema } from '../../core/sandbox-config.ts';
import { agentNetwork, checkNetwork } from '../../core/step-network.ts';
import { prepareImage } from '../../workers/sandbox-image.ts';
import { sandboxOptions } from '../../workers/sandbox-options.ts';
import { prepareRun } from '../../workers/runs/prepare-run.ts';
import { CliWorld } from '../support/cli.ts';
import { describeWithDocker } from '../support/docker.ts';
import { until } from '../support/until.ts';

const [MIB, GIB] = [1024 ** 2, 1024 ** 3];

/** Writes down what a step is, as its kernel says, and goes on until it is ended. */
const LOOK_INSIDE =
  'set -- $(grep -E "^(CapBnd|NoNewPrivs|Seccomp):" /proc/self/status); ' +
  'echo "$(id -u):$(id -g) $* $(ulimit -f) $(grep -cE "^[^ ]+ / [^ ]+ rw" /proc/mounts)" ' +
  '>inside; : >ready; exec sleep 300';

/** What was found of a step of a run. */
interface Found {
  container: ContainerInspectInfo;
  /** The sidecar whose network it has, as the engine names networks; `null` if it has none. */
  sidecar: string | null;
  inside: string;
  loosened: string[];
  image: string | undefined;
  /** What the gateway would carry for it. */
  egress: ReturnType<typeof egressOf>;
}

let number = 0;

describeWithDocker('the section sandbox of a configuration', () => {
  let world: CliWorld;
  let engine: Docker;
  let machine: { NCPU: number; MemTotal: number };

  beforeAll(async () => {
    world = new CliWorld().init();
    world.task('001').commit('a task');
    engine = connectEngine(process.env);
    machine = (await engine.info()) as typeof machine;
  });
  afterAll(() => world.remove());

  /** Starts a step as a run with that section would, looks at it, and ends it. */
  async function look(sandbox: string, kind: StepSpec['kind'] = 'agent'): Promise<Found> {
    const home = homeOf(world.env);
    const env = { ...process.env, ...world.env };
    world.config(`checks: { doctor: "true" }\nsandbox: ${sandbox}\n`);
    const request = { directory: world.repository, env, tasks: undefined, reuse: false, runId: 'r1' };
    const prepared = await prepareRun({ ...request, maxParallel: undefined, backend: 'docker' });
    const { config, backend } = prepared.manifest;
    const { signal } = new AbortController();
    const image = await prepareImage({ project: prepared.project, config, env, signal });
    // A worker has it from the store, perhaps on another day.
    const store = new ArtefactStore(home.artefacts);
    const stored = await store.put({ ...prepared.manifest, image });
    const manifest = await new ManifestReader(store).manifest({ manifest: stored });
    // Nobody serves there: what is looked at is the way to it.
    const gateway = { pid: 0, url: '', upstream: '', socket: path.join(home.gateway, 'gateway.sock') };
    mkdirSync(home.gateway, { recursive: true });
    const { config: pinned, image: pinnedImage } = manifest;
    const options = { config: pinned, backend, pinned: pinnedImage, home, env, gateway, onProgress: () => undefined };
    const steps = await createSandbox(sandboxOptions(options));
    const owner = { project: 'demo', run: 'r1', task: `T-${(number += 1)}`, attempt: 1 };
    const name = stepName(owner, 'look');
    const workTree = path.join(world.root, `work-${number}`);
    mkdirSync(workTree);
    const running = steps.run({
      ...{ name, owner, execution: 'e', kind, command: LOOK_INSIDE, stdin: '', workTree, mounts: [], env: {} },
      ...{ timeoutMs: 60_000, outputLimit: 1024 },
      network: (kind === 'agent' ? agentNetwork : checkNetwork)(manifest.config.sandbox),
    });
    try {
      await Promise.race([running, until(() => existsSync(path.join(workTree, 'ready')))]);
      const container = await engine.getContainer(containerName(home, name)).inspect();
      const carrier = kind === 'agent' ? sidecarName(home, owner) : stepSidecarName(home, name);
      const sidecar = await unlessStatus(engine.getContainer(carrier).inspect(), 404);
      return {
        container,
        sidecar: sidecar === null ? null : `container:${sidecar.Id}`,
        inside: readFileSync(path.join(workTree, 'inside'), 'utf8').trim(),
        loosened: loosenings(manifest),
        image: image.id,
        egress: egressOf(home, name),
      };
    } finally {
      await steps.end(name);
      await running;
      await steps.closeAttempt(owner);
    }
  }

  /** What of a container each of the keys decides, as the engine tells it. */
  function told({ HostConfig: host, Config }: ContainerInspectInfo): Record<string, unknown> {
    return {
      user: Config.User,
      memory: [host.Memory, host.MemorySwap],
      cpus: host.NanoCpus,
      pids: host.PidsLimit,
      ulimits: host.Ulimits?.map(({ Name, Soft, Hard }) => `${Name} ${Soft}:${Hard}`),
      tmpfs_size: Object.values((host.Tmpfs ?? {}) as Record<string, string>).map(
        (tmpfs) => /size=\d+/.exec(tmpfs)?.[0],
      ),
      shm_size: host.ShmSize,
      read_only: host.ReadonlyRootfs,
      cap_add: [host.CapDrop, host.CapAdd],
      security_opt: host.SecurityOpt as unknown,
      devices: (host.Devices as { PathOnHost: string }[] | null)?.map(({ PathOnHost }) => PathOnHost),
    };
  }

  const LOOSENED = {
    user: '"1234:1235"',
    memory: '9GiB',
    cpus: '1.5',
    pids: '4096',
    ulimits: '{ fsize: 5GiB }',
    tmpfs_size: '3GiB',
    shm_size: '128MiB',
    read_only: 'false',
    cap_add: '[NET_RAW, SYS_PTRACE]',
    security_opt: '["no-new-privileges=false", "seccomp=unconfined", "apparmor=unconfined"]',
    devices: '[/dev/full]',
  };

  test('that says nothing makes a container of the default profile, in the image that the run is pinned to', async () => {
    const { container, inside, loosened, image } = await look('{}');
    const memory = Math.min(8 * GIB, machine.MemTotal);
    expect(told(container)).toEqual({
      user: expect.stringMatching(/^[1-9]\d*:[1-9]\d*$/) as unknown,
      memory: [memory, memory],
      cpus: Math.min(4, machine.NCPU) * 1e9,
      pids: 2048,
      ulimits: ['core 0:0', `fsize ${4 * GIB}:${4 * GIB}`],
      tmpfs_size: Array(2).fill(`size=${2 * GIB}`) as unknown,
      shm_size: 64 * MIB,
      read_only: true,
      cap_add: [['ALL'], null],
      security_opt: ['no-new-privileges'],
      devices: [],
    });
    expect(inside).toBe(`${container.Config.User} CapBnd: ${'0'.repeat(16)} NoNewPrivs: 1 Seccomp: 2 ${8 * MIB} 0`);
    expect([container.Image, loosened]).toEqual([image, []]);
  });

  test('that loosens each key makes a container just so, and the run tells each of them', async () => {
    const written = Object.entries(LOOSENED).map(([key, value]) => `\n  ${key}: ${value}`);
    const { container, inside, loosened } = await look(written.join(''));
    expect(told(container)).toEqual({
      user: '1234:1235',
      memory: [9 * GIB, 9 * GIB],
      cpus: Math.min(1.5, machine.NCPU) * 1e9,
      pids: 4096,
      ulimits: ['core 0:0', `fsize ${5 * GIB}:${5 * GIB}`],
      tmpfs_size: Array(2).fill(`size=${3 * GIB}`) as unknown,
      shm_size: 128 * MIB,
      read_only: false,
      cap_add: [['ALL'], ['NET_RAW', 'SYS_PTRACE']],
      security_opt: ['no-new-privileges=false', 'seccomp=unconfined', 'apparmor=unconfined'],
      devices: ['/dev/full'],
    });
    expect(inside).toBe(`1234:1235 CapBnd: 0000000000082000 NoNewPrivs: 0 Seccomp: 0 ${10 * MIB} 1`);
    const keys = loosened.map((line) => line.split(/[ .]/)[0]);
    // Fewer processors than by default are nothing that is let through.
    expect([...new Set(keys)].sort()).toEqual(
      Object.keys(LOOSENED)
        .filter((key) => key !== 'cpus')
        .sort(),
    );
  });

  test('has no other key that decides what a container is', () => {
    const network = ['network', 'allow', 'allow_private'];
    const proven = ['backend', 'image', 'dockerfile', 'build_context', 'build_args', 'runtime', 'bubblewrap', 'env'];
    expect(Object.keys(sandboxSchema.shape).sort()).toEqual([...Object.keys(LOOSENED), ...network, ...proven].sort());
  });

  test.each<[sandbox: string, agent: string, check: string]>([
    ['{ network: gateway }', 'sidecar', 'none'],
    ['{ network: none }', 'none', 'none'],
    ['{ network: bridge }', 'bridge', 'bridge'],
    ['{ allow: [npm, "*.example.org:8443"], allow_private: [10.20.0.0/16] }', 'sidecar', 'sidecar'],
  ])('%s gives agents and checks these networks: %s, %s', async (sandbox, ...networks) => {
    const steps = await Promise.all((['agent', 'check'] as const).map((kind) => look(sandbox, kind)));
    const allows = sandbox.includes('allow');
    for (const [at, { container, sidecar, egress, loosened }] of steps.entries()) {
      const network = networks[at];
      expect(container.HostConfig.NetworkMode).toBe(network === 'sidecar' ? sidecar : network);
      expect(sidecar === null).toBe(network !== 'sidecar');
      const proxies = container.Config.Env.filter((pair) => /^https_proxy=http:\/\/signalbox:.+@127/.test(pair));
      expect(proxies).toHaveLength(allows ? 1 : 0);
      expect(egress).toEqual(
        allows ? { allow: ['npm', '*.example.org:8443'], private: ['10.20.0.0/16'] } : { allow: [], private: [] },
      );
      const keys = loosened.map((line) => line.split(' ')[0]);
      expect(keys).toEqual(allows ? ['allow', 'allow_private'] : network === 'bridge' ? ['network'] : []);
    }
  });
});
