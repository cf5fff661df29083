import { existsSync } from 'node:fs';
import path from 'node:path';
import Docker from 'dockerode';
import { SignalboxError } from '../../core/failures.ts';
import { codeOf } from '../system-errors.ts';

/** The oldest engine API that has been tried: Docker 20.10. */
const OLDEST_API = 1.41;

/** The longest, in milliseconds, that an engine may take for anything but running a container. */
const PATIENCE = 120_000;

/** What a container engine says of itself, or why it cannot be used. */
export type EngineProbe =
  | {
      available: true;
      version: string;
      apiVersion: string;
      os: string;
      rootless: boolean;
      /** Names of the OCI runtimes it knows, such as `runc` and `runsc`. */
      runtimes: string[];
      /** Processors and bytes of memory of the machine that the containers run on. */
      cpus: number;
      memory: number;
    }
  | {
      available: false;
      reason: string;
      hint: string;
      /** It may answer later, as one that is being restarted does. */
      passing: boolean;
    };

/** The engine that `DOCKER_HOST` names, else the first socket there is of those that Docker uses. Connects to nothing yet. */
export function connectEngine(env: Readonly<Record<string, string | undefined>>): Docker {
  const socket = /^unix:\/\/(.+)$/.exec(env['DOCKER_HOST'] ?? '')?.[1];
  if (socket !== undefined) return new Docker({ socketPath: socket });
  if (env['DOCKER_HOST']) return new Docker();
  const sockets = [
    '/var/run/docker.sock',
    path.join(env['XDG_RUNTIME_DIR'] ?? '/nonexistent', 'docker.sock'),
    path.join(env['HOME'] ?? '/nonexistent', '.docker/run/docker.sock'),
  ];
  return new Docker({ socketPath: sockets.find((socket) => existsSync(socket)) ?? '/var/run/docker.sock' });
}

/** Asks the engine what it is. Never throws: an engine that does not answer is an answer. */
export async function probeEngine(engine: Docker): Promise<EngineProbe> {
  try {
    const asked = Promise.all([engine.version(), engine.info() as Promise<EngineInfo>]);
    const [version, info] = await answerOf(asked);
    if (Number(version.ApiVersion) < OLDEST_API) {
      const reason = `the engine speaks API ${version.ApiVersion}; at least ${OLDEST_API} is needed`;
      return { available: false, reason, hint: 'install Docker 20.10 or newer', passing: false };
    }
    return {
      available: true,
      version: version.Version,
      apiVersion: version.ApiVersion,
      os: info.OSType ?? version.Os,
      rootless: (info.SecurityOptions ?? []).some((option) => option.includes('rootless')),
      runtimes: Object.keys(info.Runtimes ?? {})
        .filter((name) => !ENGINE_SHIM.test(name))
        .sort(),
      cpus: info.NCPU,
      memory: info.MemTotal,
    };
  } catch (error) {
    return { available: false, ...describeRefusal(error) };
  }
}

/** Names that the engine itself gives to ways of calling its default runtime. */
const ENGINE_SHIM = /^io\.containerd\.(runc\.v\d|runtime\.v1\.linux)$/;

interface EngineInfo {
  NCPU: number;
  MemTotal: number;
  OSType?: string;
  SecurityOptions?: string[];
  Runtimes?: Record<string, unknown>;
}

function describeRefusal(error: unknown): { reason: string; hint: string; passing: boolean } {
  if (codeOf(error) === 'EACCES') {
    const hint = 'join the group docker, then log in again';
    return { reason: 'this user may not talk to the Docker engine', hint, passing: false };
  }
  const hint = 'start Docker, or use --backend local';
  if (isUnreachable(error))
    return { reason: `no Docker engine answers (${String(codeOf(error))})`, hint, passing: true };
  const passing = error instanceof SignalboxError && error.retryable;
  return { reason: `the Docker engine cannot be used: ${String(error)}`, hint, passing };
}

/** The HTTP status of an engine's answer, if `error` is one. */
export function engineStatus(error: unknown): number | null {
  const status = typeof error === 'object' && error !== null && 'statusCode' in error ? error.statusCode : null;
  return typeof status === 'number' ? status : null;
}

/**
 * What `call` resolves with.
 *
 * @throws SignalboxError `environment`, retryable, if it does not settle at all, as when the engine dies in mid-answer
 */
export async function answerOf<T>(call: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(silentEngine()), PATIENCE);
  });
  try {
    return await Promise.race([call, overdue]);
  } finally {
    clearTimeout(timer);
  }
}

/** Like {@link answerOf}, or `null` where the engine answers with one of these statuses. */
export async function unlessStatus<T>(call: Promise<T>, ...statuses: number[]): Promise<T | null> {
  try {
    return await answerOf(call);
  } catch (error) {
    const status = engineStatus(error);
    if (status !== null && statuses.includes(status)) return null;
    throw error;
  }
}

function silentEngine(): SignalboxError {
  const minutes = PATIENCE / 60_000;
  return new SignalboxError('environment', `the Docker engine has not answered for ${minutes} minutes`, {
    retryable: true,
  });
}

/** Maps what an engine's client throws: an engine that is gone may come back, so that is worth a retry. */
export function engineFailure(error: unknown, what: string): SignalboxError {
  if (error instanceof SignalboxError) return error;
  const said = error instanceof Error ? error.message : String(error);
  if (isUnreachable(error)) {
    const hint = 'start Docker again; steps that it kept running are found again';
    return new SignalboxError('environment', `${what}: the Docker engine does not answer`, {
      hint,
      retryable: true,
      cause: error,
    });
  }
  const retryable = (engineStatus(error) ?? 0) >= 500;
  return new SignalboxError('environment', `${what}: ${said}`, { retryable, cause: error });
}

function isUnreachable(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ECONNREFUSED' || code === 'ENOENT' || code === 'ECONNRESET' || code === 'EPIPE';
}
