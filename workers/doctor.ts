import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { findCodex } from '../activities/agent/codex-installation.ts';
import { loadProject } from '../activities/catalogue/project.ts';
import { inspectUserRepository } from '../activities/git/inspect-user-repository.ts';
import { branchTip, requireSupported } from '../activities/git/user-repository.ts';
import { requireGit } from '../activities/git/git-command.ts';
import { gatewayLayout } from '../activities/models/gateway-layout.ts';
import { homeOf, type Home } from '../activities/home.ts';
import { examineRemote } from '../activities/remotes/examine-remote.ts';
import { connectEngine, probeEngine } from '../activities/sandbox/engine.ts';
import { configSchema, type Config } from '../core/config.ts';
import { SignalboxError } from '../core/failures.ts';
import { SEARCH_ATTRIBUTES } from '../core/search-attributes.ts';
import { examineProjectImage } from './doctor-image.ts';
import { examineRuntimes } from './doctor-runtimes.ts';
import { localProtection } from './local-protection.ts';
import { isWorkerPolling } from './runs/pollers.ts';
import { gatewayStatus } from './gateway-process.ts';
import { createEmbeddedServer, isTuned, type EmbeddedServer } from './server/embedded-server.ts';
import { knownTemporalCli } from './server/temporal-cli.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** What was found out about one thing that Signalbox needs. */
export interface Finding {
  /** What was looked at. */
  name: string;
  /** `warn`: it works without, or worse; `error`: nothing works until it is mended. */
  status: 'ok' | 'warn' | 'error';
  /** What there is, or what is wrong, in one sentence. */
  message: string;
  /** The command, or the step, that mends it. */
  hint: string | null;
}

const NEEDED_NODE = [22, 13] as const;
const LITTLE_SPACE = 2 * 1024 ** 3;
const NO_SPACE = 200 * 1024 ** 2;

/** Looks at all that this machine needs for runs of the project in `directory`. Changes nothing, but for containers that it tries. */
export async function examine(directory: string, env: Env): Promise<Finding[]> {
  const home = homeOf(env);
  const server = createEmbeddedServer({ home, env, onProgress: () => undefined });
  const looks: (() => Finding | Finding[] | Promise<Finding | Finding[]>)[] = [
    () => node(process.versions.node),
    git,
    perl,
    () => homeDirectory(home),
    () => project(directory, env),
    () => engine(env),
    () => examineProjectImage(directory, env),
    () => examineRuntimes(directory, home, env),
    () => local(directory, home, env),
    () => codex(),
    () => key(home, env),
    () => gateway(home),
    () => temporal(env, server),
  ];
  return (await Promise.all(looks.map(async (look) => await look()))).flat();
}

/** Is a Node version new enough? */
export function node(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const fine = major > NEEDED_NODE[0] || (major === NEEDED_NODE[0] && minor >= NEEDED_NODE[1]);
  if (fine) return ok('node', `Node ${version}`);
  return error('node', `Node ${version} is too old`, `Install Node ${NEEDED_NODE.join('.')} or later.`);
}

async function git(): Promise<Finding> {
  try {
    return ok('git', `git ${await requireGit()}`);
  } catch (failure) {
    return failed('git', failure);
  }
}

/** It keeps secrets out of what steps on this host print. */
function perl(): Finding {
  const { error: missing } = spawnSync('perl', ['-e', '1']);
  if (missing === undefined) return ok('perl', 'there is one, to keep secrets out of outputs');
  return warn(
    'perl',
    'there is none, so of secrets in outputs on this host only known values are hidden, no shapes of keys',
    'Install perl.',
  );
}

function homeDirectory(home: Home): Finding[] {
  const existing = nearestExisting(home.root);
  try {
    accessSync(existing, constants.W_OK | constants.X_OK);
  } catch {
    return [
      error('home', `${existing} cannot be written`, 'Make it writable, or set SIGNALBOX_HOME to another directory.'),
    ];
  }
  const { bavail, bsize } = statfsSync(existing);
  const free = bavail * bsize;
  const message = `${gib(free)} GiB free at ${home.root}`;
  const hint = 'Free some space ("signalbox clean" removes what finished runs left), or set SIGNALBOX_HOME.';
  const space =
    free < NO_SPACE
      ? error('disk', message, hint)
      : free < LITTLE_SPACE
        ? warn('disk', message, hint)
        : ok('disk', message);
  return [ok('home', home.root), space];
}

async function project(directory: string, env: Env): Promise<Finding[]> {
  let loaded;
  try {
    loaded = loadProject(directory, { env });
  } catch (failure) {
    const found = failed('project', failure);
    const none = failure instanceof SignalboxError && !failure.message.includes('problem');
    return [none ? { ...found, status: 'warn', hint: 'Run "signalbox init" in your repository.' } : found];
  }
  const { config } = loaded;
  try {
    const user = await inspectUserRepository(loaded.repository);
    requireSupported(user);
    const tip = branchTip(user, config.repository.integration_branch);
    return [
      ok('project', `${config.project} in ${loaded.root}`),
      ok('repository', `${config.repository.integration_branch} at ${tip.slice(0, 10)}`),
      ...(await remote({ user, config, tip, env })),
    ];
  } catch (failure) {
    return [ok('project', `${config.project} in ${loaded.root}`), failed('repository', failure)];
  }
}

async function remote(request: Parameters<typeof examineRemote>[0]): Promise<Finding[]> {
  const found = await examineRemote(request);
  if (found === null) return [];
  const { what, problem, notices } = found;
  const findings = notices.map((notice) => warn('remote', notice, null));
  if (problem === null) return [ok('remote', `${what} takes pushes`), ...findings];
  const needed = request.config.repository.remote?.push === 'pull_request';
  return [(needed ? error : warn)('remote', problem.reason, problem.hint), ...findings];
}

async function engine(env: Env): Promise<Finding> {
  const probe = await probeEngine(connectEngine(env));
  if (!probe.available) {
    return warn('docker', `${probe.reason}; steps run on this host instead`, probe.hint);
  }
  const rootless = probe.rootless ? ', rootless' : '';
  return ok('docker', `Docker ${probe.version}${rootless}`);
}

/** What keeps steps within bounds where they run on this host, by the project's configuration if it can be read. */
async function local(directory: string, home: Home, env: Env): Promise<Finding[]> {
  const config = configIn(directory, env);
  const { holds, lacks, wrapped } = await localProtection({ home, env, config, gateway: true });
  const unprotected = `where steps run on this host, ${lacks.join('; ')}`;
  return [
    ok('local', `where steps run on this host: ${holds.join('; ')}`),
    wrapped ? ok('local', unprotected) : warn('local', unprotected, 'Install bubblewrap, or use Docker.'),
  ];
}

function configIn(directory: string, env: Env): Pick<Config, 'sandbox' | 'checks'> {
  try {
    return loadProject(directory, { env }).config;
  } catch {
    // What is wrong with the project is told with it.
    return configSchema.parse({});
  }
}

function codex(): Finding {
  try {
    return ok('codex', findCodex().binary);
  } catch (failure) {
    return { ...failed('codex', failure), status: 'warn' };
  }
}

function key(home: Home, env: Env): Finding {
  const name = ['CODEX_API_KEY', 'OPENAI_API_KEY', 'ANTHROPIC_API_KEY'].find((variable) => env[variable]);
  if (name !== undefined) return ok('api key', `${name} is set`);
  if (existsSync(path.join(gatewayLayout(home).login, 'auth.json'))) return ok('api key', 'a ChatGPT login is used');
  return warn('api key', 'no API key is set, so no real model answers', 'Set OPENAI_API_KEY before the worker starts.');
}

async function gateway(home: Home): Promise<Finding> {
  const status = await gatewayStatus(home).catch(() => null);
  if (status === null) return ok('gateway', 'does not run; it is started when an agent needs it');
  return ok('gateway', `runs at ${status.url}, forwards to ${status.upstream}`);
}

async function temporal(env: Env, server: EmbeddedServer): Promise<Finding[]> {
  const { resolveTemporalTarget } = await import('./server/target.ts');
  const embedded = server.status();
  let target;
  try {
    target = await resolveTemporalTarget(env, server, { start: false });
  } catch (failure) {
    if (failure instanceof SignalboxError && failure.code === 'environment') return [await temporalBinary(env)];
    return [failed('temporal', failure)];
  }
  const { connectTemporal } = await import('./server/reach.ts');
  const { Client } = await import('@temporalio/client');
  try {
    const connection = await connectTemporal(target.connection);
    try {
      const client = new Client({ connection, namespace: target.namespace });
      const findings = [ok('temporal', `${target.kind} server at ${target.address}, namespace ${target.namespace}`)];
      if (!isTuned(server, target.address)) {
        const mend =
          target.kind === 'embedded'
            ? 'Run "signalbox server stop", then "signalbox server start --detach".'
            : 'See docs/operations.md for the settings.';
        findings.push(
          warn('tuning', 'the server is not known to run with our settings, and may be several times slower', mend),
        );
      }
      const { customAttributes } = await connection.operatorService.listSearchAttributes({
        namespace: target.namespace,
      });
      findings.push(searchAttributes(Object.keys(customAttributes)));
      const polling = await isWorkerPolling(client);
      findings.push(ok('worker', polling ? 'a worker polls' : 'none polls; "run start" starts one when it is needed'));
      return findings;
    } finally {
      await connection.close();
    }
  } catch (failure) {
    const found = failed('temporal', failure);
    return [
      embedded.running
        ? { ...found, hint: 'Run "signalbox server stop", then "signalbox server start --detach".' }
        : found,
    ];
  }
}

function searchAttributes(known: readonly string[]): Finding {
  if (SEARCH_ATTRIBUTES.every((name) => known.includes(name))) return ok('search attributes', 'registered');
  return warn(
    'search attributes',
    'not registered yet; "run start" tries to',
    'Ask the server’s administrator if that is refused.',
  );
}

async function temporalBinary(env: Env): Promise<Finding> {
  const cli = await knownTemporalCli(env);
  if (cli !== null)
    return ok(
      'temporal',
      `the embedded server does not run; it is started when it is needed (${cli.path}, ${cli.version.cli})`,
    );
  return warn(
    'temporal',
    'there is no temporal CLI yet; it is downloaded, or built with Go, at the first start',
    'Run "signalbox server start --detach".',
  );
}

function nearestExisting(directory: string): string {
  let existing = directory;
  while (!existsSync(existing) && path.dirname(existing) !== existing) existing = path.dirname(existing);
  return existing;
}

const gib = (bytes: number): string => (bytes / 1024 ** 3).toFixed(1);

function ok(name: string, message: string): Finding {
  return { name, status: 'ok', message, hint: null };
}

function warn(name: string, message: string, hint: string | null): Finding {
  return { name, status: 'warn', message, hint };
}

function error(name: string, message: string, hint: string | null): Finding {
  return { name, status: 'error', message, hint };
}

function failed(name: string, failure: unknown): Finding {
  const message = failure instanceof Error ? failure.message : String(failure);
  return error(name, message, failure instanceof SignalboxError ? (failure.hint ?? null) : null);
}
