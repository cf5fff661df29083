import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SignalboxError } from '../../core/failures.ts';

/** A model for the run: what the product's environment must say, and how to end it. */
export interface QuickstartModel {
  description: string;
  env: Record<string, string>;
  stop: () => void;
}

/** How long the scripted model waits for requests before it ends by itself: a run that was left goes on meanwhile. */
const IDLE_SECONDS = 1800;
const START_MS = 10_000;

/** The real model, by the key in the environment; undefined when there is none. */
export function liveModel(env: NodeJS.ProcessEnv): QuickstartModel | undefined {
  if (!env.OPENAI_API_KEY && !env.CODEX_API_KEY) return undefined;
  return { description: 'the real model: this costs money', env: {}, stop: () => undefined };
}

/**
 * Starts the scripted model in the background, on the port it had last time where that is free, so that a worker or a
 * gateway of the last quickstart finds it again.
 */
export async function scriptedModel(root: string, place: string, folder: string): Promise<QuickstartModel> {
  const portFile = join(place, 'model-port');
  const port = await freePort(readPort(portFile));
  writeFileSync(portFile, `${port}\n`);
  const log = join(folder, 'scripted-model.log');
  const output = openSync(log, 'w');
  const main = join(root, 'examples/scripted-model/main.ts');
  const args = [
    main,
    join(root, 'examples/branchline/model'),
    '--port',
    String(port),
    '--idle-exit',
    String(IDLE_SECONDS),
  ];
  // A process group of its own: Ctrl+C leaves the run, and so the model, at work.
  const child = spawn(process.execPath, args, { detached: true, stdio: ['ignore', output, output] });
  closeSync(output);
  child.unref();
  const url = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + START_MS;
  while (!(await answers(`${url}/stats`))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      throw new SignalboxError('environment', `the scripted model did not start:\n${readFileSync(log, 'utf8')}`);
    }
    await sleep(20);
  }
  return {
    description: `a SCRIPTED model at ${url}: the answers are prepared, the agent is the real Codex`,
    env: { OPENAI_BASE_URL: `${url}/v1`, OPENAI_API_KEY: 'scripted', CODEX_API_KEY: 'scripted' },
    stop: () => {
      child.kill();
    },
  };
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    (response) => response.ok,
    () => false,
  );
}

function readPort(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8')) || 0;
  } catch {
    return 0;
  }
}

/** The wanted port where it is free, else any. */
async function freePort(wanted: number): Promise<number> {
  const server = createServer();
  server.listen(wanted, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    if (wanted === 0) throw error;
    return freePort(0);
  }
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : freePort(0);
}
