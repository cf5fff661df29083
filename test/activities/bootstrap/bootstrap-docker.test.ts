import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeAll, expect, test } from '@jest/globals';
import { connectEngine } from '../../../activities/sandbox/engine.ts';
import { ensureImage } from '../../../activities/sandbox/image.ts';
import type { Home } from '../../../activities/home.ts';
import type { Sandbox } from '../../../activities/sandbox/sandbox.ts';
import { ensureGateway, stopGateway } from '../../../workers/gateway-process.ts';
import { testBootstrap } from '../../support/bootstrap-contract.ts';
import { BootstrapWorld, INSTALL, withBootstrap } from '../../support/bootstrap-world.ts';
import { describeWithDocker } from '../../support/docker.ts';
import { createStepBench } from '../../support/sandbox-steps.ts';
import { sandboxOf } from '../../support/sandboxes.ts';

/** Prints the proxy's answer to a connection that nobody allowed. */
const ASK_FOR_ANOTHER_HOST = `
  const { hostname, port, username, password } = new URL(process.env.HTTPS_PROXY);
  const headers = { "proxy-authorization": "Basic " + btoa(username + ":" + password) };
  const asked = { hostname, port, method: "CONNECT", path: "elsewhere.example:443", headers };
  require("node:http").request(asked).on("connect", (answer) => console.log(answer.statusCode) ?? process.exit()).end();
`;

const docker = (home: Home): Promise<Sandbox> => sandboxOf('docker', home);

describeWithDocker('dependencies of steps in containers', () => {
  beforeAll(async () => {
    await ensureImage({ engine: connectEngine(process.env) });
  }, 600_000);

  testBootstrap(docker);
});

describeWithDocker('dependencies, as Docker gives them,', () => {
  let project: BootstrapWorld;
  afterEach(() => project.world.remove());

  test.each([
    ['none', 'none', 'lo'],
    ['registries', 'bridge', 'lo eth0'],
    ['registries', 'none', 'lo proxy 403'],
  ] as const)(
    'are installed with the network that the configuration gives them, %s with %s',
    async (network, sandbox, expected) => {
      const interfaces = 'for name in lo eth0; do if grep -q "^ *$name:" /proc/net/dev; then echo $name; fi; done';
      const proxy = `if test -n "$HTTPS_PROXY"; then echo proxy; node -e '${ASK_FOR_ANOTHER_HOST}'; fi`;
      const commands = `${INSTALL} && { ${interfaces}; ${proxy}; } > deps/network.txt`;
      const config = withBootstrap('true', commands, network, sandbox);
      const withGateway = async (home: Home): Promise<Sandbox> => {
        const gateway = await ensureGateway({ home, env: { PATH: process.env['PATH'], OPENAI_API_KEY: 'sk-canary' } });
        return await sandboxOf('docker', home, gateway.socket);
      };
      project = await BootstrapWorld.create(withGateway, { a: 'cp deps/network.txt found.txt' }, config);
      const { attempt, made } = await project.prepared('a');
      const { commit } = await project.turned(attempt, made.base);
      expect((await project.shown(commit, 'found.txt')).split(/\s+/).filter(Boolean).join(' ')).toBe(expected);
      const label = [`signalbox.home=${project.world.home.root}`];
      expect(await connectEngine(process.env).listContainers({ all: true, filters: { label } })).toEqual([]);
      await stopGateway(project.world.home);
    },
  );

  const MOUNTS = 'grep -o "[^ ]*deps overlay" /proc/mounts > mounts.txt; cat deps/lock.txt packages/a/deps/nested.txt';

  test('are laid over the snapshot where they are large, and copied where they are small; the host mounts nothing', async () => {
    project = await BootstrapWorld.create(
      docker,
      { a: `${MOUNTS}; ls -ld deps > owner.txt; id -u >> owner.txt` },
      withBootstrap('true'),
    );
    const { attempt, made } = await project.prepared('a');
    const { commit } = await project.turned(attempt, made.base);
    const tree = path.join(project.world.host.attemptDirectory(attempt), 'tree');
    expect(await project.shown(commit, 'mounts.txt')).toBe(`${tree}/deps overlay\n`);
    expect([readdirSync(path.join(tree, 'deps')), readdirSync(path.join(tree, 'packages/a/deps'))]).toEqual([
      [],
      ['nested.txt'],
    ]);
  });

  test('are copied where nothing can be laid over anything', async () => {
    const copying = async (home: Home): Promise<Sandbox> =>
      Object.assign(await docker(home), { canLayer: () => Promise.resolve(false) });
    project = await BootstrapWorld.create(copying, { a: MOUNTS }, withBootstrap('true'));
    const { attempt, made } = await project.prepared('a');
    const { commit } = await project.turned(attempt, made.base);
    expect(await project.shown(commit, 'mounts.txt')).toBe('');
  });

  test('are never mounted through a link that an agent put in their way', async () => {
    const install = 'mkdir -p deps packages/a/deps && for i in $(seq 80); do echo $i > packages/a/deps/$i.txt; done';
    const agent =
      'if [ $SIGNALBOX_TURN = 1 ]; then ls packages/a/deps | wc -l; mv packages/a packages/b; ln -s /etc packages/a; ' +
      'else ls packages/a/deps > there.txt 2>&1; ls packages/b/deps | wc -l > moved.txt; fi; touch work.txt';
    project = await BootstrapWorld.create(docker, { a: agent }, withBootstrap('true', install));
    const { attempt, made } = await project.prepared('a');
    await project.turned(attempt, made.base);
    const { commit } = await project.turned(attempt, made.base, 2);
    expect(await project.shown(commit, 'there.txt')).toContain('No such file');
    expect((await project.shown(commit, 'moved.txt')).trim()).toBe('0');
  });

  test('are not tried where a path could not be told to the kernel', async () => {
    const bench = createStepBench();
    const root = `${bench.home.root},more`;
    mkdirSync(root);
    const sandbox = await docker({ ...bench.home, root });
    expect(await sandbox.canLayer()).toBe(false);
    bench.remove();
  });
});
