import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { createAgents } from '../../activities/agent/agents.ts';
import type { AgentTurnRequest, AgentTurnResult } from '../../activities/agent/agent.ts';
import { homeOf, type Home } from '../../activities/home.ts';
import { defaultUser, type ContainerUser } from '../../activities/sandbox/container-profile.ts';
import { createSandbox } from '../../activities/sandbox/create-sandbox.ts';
import type { Config } from '../../core/config.ts';
import { CONTAINER_DEFAULTS } from '../../core/container-config.ts';
import { stepName, type StepOwner } from '../../core/ids.ts';
import { agentNetwork } from '../../core/step-network.ts';
import { ensureGateway, stopGateway, type Gateway } from '../../workers/gateway-process.ts';
import { sandboxOptions } from '../../workers/sandbox-options.ts';
import { hostServices, otherContainer, OTHER_PORT } from './canaries.ts';

/** Where the other task's step serves. */
const NEIGHBOUR_PORT = 8444;

/** A secret of the worker: no step may see it. */
export const WORKER_SECRET = 'audit-canary-4711-of-the-worker';

/** A host with a gateway and two tasks' agents at work, and services that no step may reach. */
export interface AuditWorld {
  home: Home;
  gateway: Gateway;
  /** The version of the engine's kernel. */
  kernel: string;
  /** The OCI runtime that is named, if one is. */
  runtime: string | undefined;
  /** Who steps are. */
  user: ContainerUser;
  /** What steps may use at most: the defaults, or what the configuration makes stricter. */
  limits: Record<keyof typeof CONTAINER_DEFAULTS, number>;
  /** The allow-list of the configuration, if it has one. */
  allow: readonly string[];
  /** What is to be tried from inside: pairs of what and value, see `inside.pl`. */
  reachable: [what: string, value: string][];
  /** The agent's turn of the other task. */
  neighbour: Turn;
  /** How many connections and datagrams came to services of the host. */
  touches(): number;
  /** Starts a turn of an agent of a task. @param prepare is called with the work tree before */
  turn(task: string, command: string, prompt: string, prepare?: (workTree: string) => void): Turn;
  /** Where a task's turn finds what. */
  placeOf(task: string): Pick<Turn, 'workTree' | 'taskFile' | 'gitObjects'>;
  close(): Promise<void>;
}

/** An agent's turn that runs. */
export interface Turn {
  /** Name of its step. */
  step: string;
  owner: StepOwner;
  workTree: string;
  taskFile: string;
  gitObjects: string;
  result: Promise<AgentTurnResult>;
}

/** What {@link makeAuditWorld} makes it from. */
export interface AuditWorldOptions {
  config: Config;
  /** What containers are made with. */
  engine: Docker;
  image: string;
  /** A text that the other task's processes carry. */
  mark: string;
}

/** Makes the world, with everything in it. */
export async function makeAuditWorld(options: AuditWorldOptions): Promise<AuditWorld> {
  const made: (() => void | Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const remove of made.toReversed()) await remove();
  };
  try {
    return { ...(await buildWorld(options, (remove) => made.push(remove))), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** @param onMade is told how to remove each thing that was made, in their order */
async function buildWorld(
  { config, engine, image, mark }: AuditWorldOptions,
  onMade: (remove: () => void | Promise<void>) => void,
): Promise<Omit<AuditWorld, 'close'>> {
  const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'signalbox-audit-')));
  onMade(() => rm(root, { recursive: true, force: true }));
  const home = homeOf({ SIGNALBOX_HOME: path.join(root, 'home') });
  const env: Record<string, string | undefined> = { ...process.env, AUDIT_SECRET: WORKER_SECRET };
  const ofGateway = { PATH: env['PATH'], HOME: env['HOME'], OPENAI_API_KEY: WORKER_SECRET };
  const gateway = await ensureGateway({ home, env: ofGateway });
  onMade(async () => {
    await stopGateway(home);
  });
  const sandbox = await createSandbox({
    ...sandboxOptions({ config, backend: 'docker', home, env, gateway, onProgress: () => undefined }),
    engine,
  });
  const services = await hostServices();
  onMade(services.close);
  const other = await otherContainer(engine, image);
  onMade(other.remove);
  const agents = createAgents({ home, onUnsandboxed: () => undefined });
  const listed = Object.fromEntries(config.sandbox.env.map((name) => [name, env[name] ?? '']));
  const placeOf: AuditWorld['placeOf'] = (task) => {
    const below = (name: string): string => path.join(home.workspaces, task, name);
    return { workTree: below('tree'), gitObjects: below('objects'), taskFile: below('task.md') };
  };
  const turn: AuditWorld['turn'] = (task, command, prompt, prepare) => {
    const owner = { project: 'audit', run: 'r1', task, attempt: 1 };
    const { workTree, gitObjects, taskFile } = placeOf(task);
    for (const directory of [workTree, gitObjects]) mkdirSync(directory, { recursive: true });
    writeFileSync(taskFile, 'Look around.\n', { mode: 0o644 });
    prepare?.(workTree);
    const step = stepName(owner, 'turn-1');
    const request: AgentTurnRequest = {
      step: { name: step, owner, execution: 'execution-1' },
      ...{ sandbox, workTree, gitObjects, prompt, command },
      agentHome: path.join(home.workspaces, task, 'agent-home'),
      mounts: [{ source: taskFile, target: taskFile, readOnly: true }],
      threadId: null,
      env: { ...listed, SIGNALBOX_TASK_ID: task, SIGNALBOX_TASK_FILE: taskFile },
      timeoutMs: 120_000,
      network: agentNetwork(config.sandbox),
    };
    const result = agents.command.runTurn(request);
    // Whoever waits for it hears of it.
    result.catch(() => undefined);
    onMade(async () => {
      await sandbox.end(step);
      await result.catch(() => undefined);
      await sandbox.closeAttempt(owner);
    });
    return { step, owner, workTree, taskFile, gitObjects, result };
  };
  const neighbour = turn('T-2', neighbourCommand(mark), '');
  await until(() => existsSync(path.join(neighbour.workTree, 'ready')), neighbour.result);
  return {
    ...{ home, gateway, turn, placeOf, neighbour },
    kernel: ((await engine.info()) as { KernelVersion: string }).KernelVersion,
    runtime: config.sandbox.runtime,
    user: sandbox.fileOwner ?? defaultUser(false),
    limits: mostOf(config),
    allow: config.sandbox.allow ?? [],
    reachable: [
      ...services.reachable,
      ['connect', `another container ${other.address} ${OTHER_PORT}`],
      ['connect', `the other task’s loopback 127.0.0.1 ${NEIGHBOUR_PORT}`],
    ],
    touches: services.touches,
  };
}

function mostOf({ sandbox }: Config): AuditWorld['limits'] {
  const { memory, cpus, pids, ulimits, tmpfs_size: tmpfs, shm_size: shm } = sandbox;
  const { fsize } = ulimits ?? {};
  const asked: Partial<Record<string, number | undefined>> = { memory, cpus, pids, fsize, tmpfs, shm };
  const most = Object.entries(CONTAINER_DEFAULTS).map(([name, by]) => [name, Math.min(by, asked[name] ?? by)] as const);
  return Object.fromEntries(most) as AuditWorld['limits'];
}

/** Waits for what a turn does. @throws Error if the turn ends instead, or after a minute */
export async function until(condition: () => boolean, result: Promise<AgentTurnResult>): Promise<void> {
  const ended = result.then((over) => {
    if (condition()) return;
    throw new Error(`the step ended too early: ${over.reason ?? over.outcome}`);
  });
  for (let tries = 0; !condition(); tries += 1) {
    if (tries > 1200) throw new Error('the step did not do what it should within a minute');
    await Promise.race([ended, sleep(50)]);
  }
}

/** Carries the mark in its arguments and its environment, and serves on its own loopback. */
function neighbourCommand(mark: string): string {
  const serve =
    `require('node:net').createServer((socket) => socket.end()).listen(${NEIGHBOUR_PORT}, '127.0.0.1', ` +
    `() => require('node:fs').writeFileSync('ready', ''))`;
  return `MARK=${mark} exec node -e "${serve}" ${mark}`;
}

/** The lines that `inside.pl` left. */
export function readFindings(workTree: string): Map<string, string> {
  const lines = readFileSync(path.join(workTree, 'audit.tsv'), 'utf8').trimEnd().split('\n');
  return new Map(
    lines.map((line) => {
      const [name = '', found = ''] = line.split('\t');
      return [name, found];
    }),
  );
}
