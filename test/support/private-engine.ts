import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe } from '@jest/globals';
import Docker from 'dockerode';
import { processStartTime } from '../../activities/process-identity.ts';
import { connectEngine, probeEngine } from '../../activities/sandbox/engine.ts';
import { ensureImage } from '../../activities/sandbox/image.ts';
import { dockerAnswers, missingInCi } from './docker.ts';
import { until } from './until.ts';

/** Whether a daemon of our own can be started: as root, where its program is. */
const canStartOne = dockerAnswers && process.getuid?.() === 0 && ['dockerd', 'unshare'].every(isOnPath);

/** A `describe` for tests that kill a Docker daemon. Skipped, or failing in CI, as with `describeWithDocker`. */
export function describeWithOwnEngine(name: string, tests: () => void): void {
  if (canStartOne) describe(name, tests);
  else if (process.env['CI'] === 'true') missingInCi(name, 'root, and a dockerd to start');
  else describe.skip(`${name} (no dockerd can be started)`, tests);
}

/**
 * Keeps the daemon until its own input ends, which is when the test's process does: it must not live on. In a network
 * namespace of its own, since a daemon that is to have no bridge removes `docker0`, whoever's that is.
 */
const WRAPPER = 'unshare --net dockerd "$@" </dev/null & daemon=$!; read -r end; kill "$daemon"; wait "$daemon"';

/**
 * A Docker daemon of a test alone, with all its state in a directory of its own and no network. It can be
 * killed and started again, with what it ran going on (`liveRestore`) or not.
 */
export class PrivateEngine {
  readonly root = mkdtempSync(path.join(tmpdir(), 'sbx-engine-'));
  readonly socket = path.join(this.root, 'docker.sock');
  readonly client = new Docker({ socketPath: this.socket });
  #wrapper: ChildProcess | null = null;

  /** As `DOCKER_HOST` names it. */
  get address(): string {
    return `unix://${this.socket}`;
  }

  /** Starts it, or starts it again, and waits until it answers. */
  async start({ liveRestore }: { liveRestore: boolean }): Promise<void> {
    const below = (name: string): string => path.join(this.root, name);
    const state = ['--data-root', below('data'), '--exec-root', below('exec'), '--pidfile', below('pid')];
    const network = ['--bridge=none', '--iptables=false', '--ip-forward=false', '--ip-masq=false'];
    const options = ['-H', this.address, ...state, ...network, `--live-restore=${String(liveRestore)}`];
    this.#wrapper = spawn('sh', ['-c', WRAPPER, 'sh', ...options], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    await until(async () => (await probeEngine(this.client)).available);
  }

  /** Kills it in the middle of whatever it does. */
  async kill(): Promise<void> {
    await this.#stop('SIGKILL');
  }

  /** Stops it as a system does that installs a new version: it ends what it runs, unless that goes on without it. */
  async terminate(): Promise<void> {
    await this.#stop('SIGTERM');
  }

  /** Copies the image of steps from the engine of this machine. @returns its name */
  async importImage(): Promise<string> {
    const { reference } = await ensureImage({ engine: connectEngine(process.env) });
    const from = await connectEngine(process.env).getImage(reference).get();
    const progress = await this.client.loadImage(from);
    progress.resume();
    await once(progress, 'end');
    return reference;
  }

  /** Removes its containers, ends it, and removes all of its files. */
  async remove(): Promise<void> {
    if (this.#wrapper !== null) {
      for (const { Id } of await this.client.listContainers({ all: true }))
        await this.client.getContainer(Id).remove({ force: true, v: true });
      await this.terminate();
    }
    const mounts = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '');
    for (const mount of mounts.reverse()) if (mount.startsWith(`${this.root}/`)) execFileSync('umount', ['-l', mount]);
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5 });
  }

  async #stop(signal: NodeJS.Signals): Promise<void> {
    const wrapper = this.#wrapper;
    if (wrapper === null) return;
    const ended = once(wrapper, 'exit');
    const containerd = path.join(this.root, 'exec', 'containerd', 'containerd.pid');
    const started = Number(readFileSync(containerd, 'utf8'));
    process.kill(Number(readFileSync(path.join(this.root, 'pid'), 'utf8')), signal);
    // The wrapper waits for the daemon, and the next daemon would wait for the containerd that dies with this one.
    wrapper.stdin?.end();
    await ended;
    this.#wrapper = null;
    await until(() => processStartTime(started) === null);
    rmSync(containerd, { force: true });
  }
}

function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(path.delimiter).some((directory) => {
    try {
      accessSync(path.join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
