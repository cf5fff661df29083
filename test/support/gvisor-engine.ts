import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe } from '@jest/globals';
import Docker from 'dockerode';
import { connectEngine, probeEngine } from '../../activities/sandbox/engine.ts';
import { ensureImage } from '../../activities/sandbox/image.ts';
import { dockerAnswers, missingInCi } from './docker.ts';
import { until } from './until.ts';

const has = (program: string): boolean => spawnSync('which', [program]).status === 0;
const canStart = dockerAnswers && process.getuid?.() === 0 && ['dockerd', 'runsc', 'unshare'].every(has);

/** A `describe` for tests that need gVisor. Skipped, or failing in CI, as with `describeWithDocker`. */
export function describeWithGvisor(name: string, tests: () => void): void {
  if (canStart) describe(name, tests);
  else if (process.env['CI'] === 'true') missingInCi(name, 'root, a dockerd to start, and runsc');
  else describe.skip(`${name} (no engine with gVisor can be started)`, tests);
}

/** A Docker daemon of a test alone, with gVisor among its runtimes. */
export interface GvisorEngine {
  client: Docker;
  /** As `DOCKER_HOST` names it. */
  address: string;
  close(): Promise<void>;
}

/** `gvisor` is set up as steps need it, `gvisor-alone` has a network of its own, and `broken` is no runtime. */
const RUNTIMES = {
  gvisor: { path: 'runsc', runtimeArgs: ['--network=host'] },
  'gvisor-alone': { path: 'runsc', runtimeArgs: ['--network=none'] },
  broken: { path: 'false' },
};

/**
 * Starts the daemon, in a network namespace of its own, since a daemon that is to have no default bridge removes that of any
 * other; and gives it the image of steps.
 */
export async function startGvisorEngine(): Promise<GvisorEngine> {
  const root = mkdtempSync(path.join(tmpdir(), 'sbx-gvisor-'));
  const below = (name: string): string => path.join(root, name);
  const runtimes = Object.entries(RUNTIMES).map(([name, { path: program, ...rest }]) => {
    const found = spawnSync('which', [program], { encoding: 'utf8' }).stdout.trim();
    return [name, { path: found, ...rest }];
  });
  writeFileSync(below('daemon.json'), JSON.stringify({ runtimes: Object.fromEntries(runtimes) as object }));
  const address = `unix://${below('docker.sock')}`;
  const state = ['--data-root', below('data'), '--exec-root', below('exec'), '--pidfile', below('pid')];
  const options = ['-H', address, '--config-file', below('daemon.json'), ...state];
  // Its own input ends with this process, and the daemon with that: it must not live on.
  const script = 'ip link set lo up; dockerd "$@" </dev/null & daemon=$!; read -r end; kill "$daemon"; wait "$daemon"';
  const daemon = spawn('unshare', ['--net', 'sh', '-c', script, 'sh', ...options], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  const client = new Docker({ socketPath: below('docker.sock') });
  await until(async () => (await probeEngine(client)).available);
  const source = connectEngine(process.env);
  const { reference } = await ensureImage({ engine: source });
  const loading = await client.loadImage(await source.getImage(reference).get());
  loading.resume();
  await once(loading, 'end');
  return {
    client,
    address,
    close: async () => {
      const ended = once(daemon, 'exit');
      daemon.stdin.end();
      await ended;
      rmSync(root, { recursive: true, force: true });
    },
  };
}
