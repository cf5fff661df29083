import { rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { type Connection } from '@temporalio/client';

import { type Home, makePrivateDirectory } from '../../activities/home.ts';
import { withProcessLock } from '../../activities/process-lock.ts';
import { SignalboxError } from '../../core/failures.ts';
import { type AskedPorts, choosePorts } from './choose-ports.ts';
import { raiseRetention, registerSearchAttributes, RETENTION_DAYS } from './namespace.ts';
import { isPortFree, listenerOn, LOOPBACK } from './ports.ts';
import { connectTemporal } from './reach.ts';
import { serverLayout } from './server-layout.ts';
import { endProcess, findStrayServer, logTail, spawnServer } from './server-process.ts';
import { livingPid, readServerState, type ServerState, writeServerState } from './server-state.ts';
import { findTemporalCli } from './temporal-cli.ts';
import { TUNING_DIGEST } from './tuning.ts';

/** The embedded server's namespace. */
export const EMBEDDED_NAMESPACE = 'default';

const START_TIMEOUT = 60_000;

/** The embedded server as it is now. */
export interface ServerStatus {
  running: boolean;
  /** `host:port` for gRPC; `null` when it does not run. */
  address: string | null;
  /** The Web UI's address, without a slash at the end; `null` when it does not run. */
  webUi: string | null;
  pid: number | null;
  /** The version of the `temporal` CLI that it was started with. */
  version: string | null;
  /** Whether it was started with the settings that this version of Signalbox would start it with. */
  tuned: boolean;
  dataFile: string;
  logFile: string;
}

/** The embedded Temporal server of one home: a process of its own, which outlives the command that starts it. */
export interface EmbeddedServer {
  /** Reads only. */
  status: () => ServerStatus;
  /**
   * Starts the server, or returns the one that runs; `started` says which. Its data and ports are those it had last.
   * Any number of processes may call this at once.
   *
   * @throws SignalboxError `environment` when a port that was asked for is taken, or there is no `temporal` to start, or
   *   it ends at once; the message then has the end of its log
   */
  start: (ports?: AskedPorts) => Promise<ServerStatus & { started: boolean }>;
  /** Ends the server, gracefully if it can be, and returns when it is gone; `stopped` is false if none ran. */
  stop: () => Promise<ServerStatus & { stopped: boolean }>;
}

/** What the embedded server depends on. */
export interface EmbeddedServerOptions {
  home: Home;
  env: Readonly<Record<string, string | undefined>>;
  /** One line for a person, about something that takes long or was decided. */
  onProgress: (text: string) => void;
}

/** The embedded server of a home. Nothing happens until it is asked. */
export function createEmbeddedServer({ home, env, onProgress }: EmbeddedServerOptions): EmbeddedServer {
  const layout = serverLayout(home);
  const read = (): ServerState | null => readServerState(layout.stateFile);
  const write = (state: ServerState): void => writeServerState(layout.stateFile, state);

  const statusOf = (state: ServerState | null): ServerStatus => {
    const pid = livingPid(state);
    const running = state !== null && pid !== null;
    return {
      running,
      address: running ? `${LOOPBACK}:${state.grpcPort}` : null,
      webUi: running ? `http://${LOOPBACK}:${state.uiPort}` : null,
      pid,
      version: running ? state.cliVersion : null,
      tuned: running && state.flagsDigest === TUNING_DIGEST,
      dataFile: layout.dataFile,
      logFile: layout.logFile,
    };
  };

  /** The server that runs now, if any; one without a state is given one. Only under the lock. */
  const findRunning = async (): Promise<ServerState | null> => {
    const state = read();
    if (livingPid(state) !== null) return state;
    const stray = await findStrayServer(layout);
    if (stray === null) return null;
    onProgress(`A Temporal server that nobody had recorded runs on ${layout.dataFile} (pid ${stray.process.pid})`);
    const adopted: ServerState = { version: 1, ...stray, cliVersion: 'unknown', flagsDigest: 'unknown', served: true };
    write(adopted);
    return adopted;
  };

  /** Waits until the server answers and has what we need of it. */
  const prepare = async (state: ServerState): Promise<void> => {
    const connection = await untilItAnswers(state);
    try {
      write({ ...state, served: true });
      await raiseRetention(connection, EMBEDDED_NAMESPACE, RETENTION_DAYS);
      const registration = await registerSearchAttributes(connection, EMBEDDED_NAMESPACE);
      if (!registration.registered) onProgress(`Search attributes are not available: ${registration.reason}`);
    } finally {
      await connection.close();
    }
  };

  const untilItAnswers = async (state: ServerState): Promise<Connection> => {
    const deadline = Date.now() + START_TIMEOUT;
    for (;;) {
      let connection: Connection;
      try {
        connection = await connectTemporal({ address: `${LOOPBACK}:${state.grpcPort}` }, 1000);
      } catch (error) {
        if (livingPid(state) === null) {
          throw new SignalboxError('environment', `the Temporal server ended at once:\n${logTail(layout)}`, {
            hint: `Its whole log is ${layout.logFile}.`,
          });
        }
        if (Date.now() > deadline) {
          throw new SignalboxError('environment', `the Temporal server does not answer; its log is ${layout.logFile}`, {
            hint: 'Run `signalbox server stop`, then start it again.',
            cause: error,
          });
        }
        await delay(50);
        continue;
      }
      const listener = await listenerOn(state.grpcPort);
      if (listener === null || listener === livingPid(state)) return connection;
      // Another home's server took the port in the same moment, and answers in the place of ours, which is about to end.
      await connection.close();
      throw new SignalboxError('environment', `port ${state.grpcPort}: address already in use by process ${listener}`);
    }
  };

  const startUnderLock = async (asked: AskedPorts): Promise<ServerStatus & { started: boolean }> => {
    const running = await findRunning();
    if (running !== null) {
      refuseOtherPorts(asked, running);
      await prepare(running);
      return { ...statusOf(read()), started: false };
    }
    const cli = await findTemporalCli({ env, onProgress });
    for (let attempt = 1; ; attempt += 1) {
      const last = read();
      const ports = await choosePorts(asked, last, onProgress);
      if (last !== null && !last.served) removeData(layout.dataFile);
      const process = spawnServer(cli.path, layout, ports, env);
      const state: ServerState = {
        version: 1,
        process,
        grpcPort: ports.grpc,
        uiPort: ports.ui,
        cliVersion: cli.version.cli,
        flagsDigest: TUNING_DIGEST,
        served: last?.served ?? false,
      };
      write(state);
      try {
        await prepare(state);
        return { ...statusOf(read()), started: true };
      } catch (error) {
        await endProcess(process);
        // Between the choice of a port and the server's use of it, another process may have taken it.
        const taken = error instanceof Error && error.message.includes('address already in use');
        const lost = taken || !((await isPortFree(ports.grpc)) && (await isPortFree(ports.ui)));
        if (!lost || attempt === 3) throw error;
      }
    }
  };

  const stopUnderLock = async (): Promise<ServerStatus & { stopped: boolean }> => {
    const running = await findRunning();
    if (running?.process) {
      await endProcess(running.process);
      write({ ...running, process: null });
    }
    return { ...statusOf(read()), stopped: running !== null };
  };

  const locked = <T>(work: () => Promise<T>): Promise<T> => {
    makePrivateDirectory(layout.directory);
    return withProcessLock(layout.lockFile, work, {
      onWait: () => onProgress('Waiting for another process that starts or stops the Temporal server'),
    });
  };

  return {
    status: () => statusOf(read()),
    start: (asked = {}) => locked(() => startUnderLock(asked)),
    stop: () => locked(stopUnderLock),
  };
}

/**
 * Whether the server at an address is the embedded one and started with our settings. One that somebody else started
 * counts as untuned: there is no way to ask it.
 */
export function isTuned(server: EmbeddedServer, address: string): boolean {
  const status = server.status();
  return status.tuned && status.address === address.replace(/^localhost:/, `${LOOPBACK}:`);
}

function refuseOtherPorts(asked: AskedPorts, running: ServerState): void {
  const same =
    (asked.port ?? running.grpcPort) === running.grpcPort && (asked.uiPort ?? running.uiPort) === running.uiPort;
  if (same) return;
  throw new SignalboxError(
    'environment',
    `the Temporal server runs already, on the ports ${running.grpcPort} and ${running.uiPort}`,
    { hint: 'Run `signalbox server stop` first, or leave the ports out.' },
  );
}

function removeData(file: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${file}${suffix}`, { force: true });
}
