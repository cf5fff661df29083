import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { SignalboxError } from '../../core/failures.ts';
import type { Place } from './place.ts';
import { endProcess, endWorkers } from './processes.ts';

/** A model for the run: what the product's environment must say, and how to end it. */
export interface QuickstartModel {
  description: string;
  env: Record<string, string>;
  stop: () => Promise<void>;
}

/** How long the scripted model waits for requests before it ends by itself: a run that was left goes on meanwhile. */
const IDLE_SECONDS = 1800;
const START_MS = 10_000;
/** Milliseconds that an answer takes, from and to. */
const DELAY = '100-300';

/** Is there a key for the real model? */
export function hasKey(env: NodeJS.ProcessEnv): boolean {
  return Boolean(env.OPENAI_API_KEY || env.CODEX_API_KEY);
}

/** The real model, by the key in the environment. */
export async function liveModel(place: Place): Promise<QuickstartModel> {
  await stopModel(place);
  rmSync(stateFile(place), { force: true });
  await endWorkers(place);
  return { description: 'the REAL model: this costs money', env: {}, stop: () => endWorkers(place) };
}

/**
 * Starts the scripted model in the background, in the place of the last quickstart's and on its port where that is
 * free, so that the gateway finds it again.
 */
export async function scriptedModel(place: Place): Promise<QuickstartModel> {
  const last = await stopModel(place);
  const port = await freePort(last ?? 0);
  // A worker keeps the model and the key that it was started with.
  if (port !== last) await endWorkers(place);
  const log = join(place.directory, 'scripted-model.log');
  const output = openSync(log, 'w');
  const folder = join(place.root, 'examples/branchline/model');
  const args = [
    programOf(place),
    folder,
    '--port',
    String(port),
    '--delay',
    DELAY,
    '--idle-exit',
    String(IDLE_SECONDS),
  ];
  // A process group of its own: Ctrl+C leaves the run, and so the model, at work.
  const child = spawn(process.execPath, args, { detached: true, stdio: ['ignore', output, output] });
  closeSync(output);
  child.unref();
  writeFileSync(stateFile(place), JSON.stringify({ port, pid: child.pid ?? 0 }));
  const url = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + START_MS;
  while (!(await answers(`${url}/stats`))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      throw new SignalboxError('environment', `the scripted model did not start:\n${readFileSync(log, 'utf8')}`);
    }
    await sleep(20);
  }
  return {
    description: `a SCRIPTED model at ${url}: its answers are prepared; the agent is the real Codex`,
    env: { OPENAI_BASE_URL: `${url}/v1`, OPENAI_API_KEY: 'scripted', CODEX_API_KEY: 'scripted' },
    stop: async () => {
      await stopModel(place);
    },
  };
}

/** Ends the scripted model that was started last, if it still runs. Returns its port; undefined if there was none. */
export async function stopModel(place: Place): Promise<number | undefined> {
  if (!existsSync(stateFile(place))) return undefined;
  const state = stateSchema.safeParse(readFileSync(stateFile(place), 'utf8')).data;
  if (state !== undefined && state.pid > 0) await endProcess(state.pid, [programOf(place)]);
  return state?.port;
}

const stateSchema = z
  .string()
  .transform((text, context) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      context.addIssue('not JSON');
      return z.NEVER;
    }
  })
  .pipe(z.object({ port: z.number(), pid: z.number() }));

function stateFile(place: Place): string {
  return join(place.directory, 'model.json');
}

function programOf(place: Place): string {
  return join(place.root, 'examples/scripted-model/main.ts');
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    (response) => response.ok,
    () => false,
  );
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
