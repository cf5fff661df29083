import { rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import Docker from 'dockerode';
import { defaultUser } from '../../../activities/sandbox/container-profile.ts';
import { DockerSandbox } from '../../../activities/sandbox/docker-sandbox.ts';
import { connectEngine } from '../../../activities/sandbox/engine.ts';
import { ensureImage } from '../../../activities/sandbox/image.ts';
import { describeWithDocker } from '../../support/docker.ts';
import { createStepBench } from '../../support/sandbox-steps.ts';

/** The engine behind a socket of ours, which can be taken away and given back like a daemon that restarts. */
class FlakyEngine {
  readonly socket: string;
  private readonly open = new Set<Socket>();
  private server: Server | null = null;

  constructor(socket: string) {
    this.socket = socket;
  }

  async start(): Promise<void> {
    const server = createServer((near) => {
      const far = connect('/var/run/docker.sock');
      for (const socket of [near, far]) {
        this.open.add(socket);
        socket.on('error', () => undefined);
      }
      near.pipe(far).pipe(near);
    });
    this.server = server;
    await new Promise<void>((resolve) => server.listen(this.socket, resolve));
  }

  stop(): void {
    this.server?.close();
    for (const socket of this.open) socket.destroy();
    this.open.clear();
    rmSync(this.socket, { force: true });
  }
}

describeWithDocker('an engine that goes away', () => {
  test('in the middle of a step is worth a retry, and the step is then attached to with all its output', async () => {
    const bench = createStepBench();
    const engine = new FlakyEngine(path.join(bench.workTree, '..', 'engine.sock'));
    await engine.start();
    const { reference: image } = await ensureImage({ engine: connectEngine(process.env) });
    const sandbox = new DockerSandbox({
      engine: new Docker({ socketPath: engine.socket }),
      home: bench.home,
      image,
      user: defaultUser(false),
      limits: {},
      env: {},
    });
    const spec = bench.step('echo first; until [ -e go ]; do sleep 0.02; done; echo last');
    try {
      const cut = sandbox.run(spec, { onStdout: () => engine.stop() });
      await expect(cut).rejects.toMatchObject({ code: 'environment', retryable: true });
      await expect(sandbox.run(spec)).rejects.toMatchObject({ code: 'environment', retryable: true });
      await engine.start();
      let seen = '';
      const again = sandbox.run(spec, { onStdout: (chunk) => (seen += chunk.toString()) });
      writeFileSync(path.join(bench.workTree, 'go'), '');
      expect(await again).toMatchObject({ exitCode: 0, attached: true, lost: false });
      expect(seen).toBe('first\nlast\n');
    } finally {
      await sandbox.end(spec.name).catch(() => undefined);
      engine.stop();
      bench.remove();
    }
  });
});
