import { type ConnectionOptions } from '@temporalio/client';
import { loadClientConfigProfile, toClientOptions } from '@temporalio/envconfig';

import { SignalboxError } from '../../core/failures.ts';
import { EMBEDDED_NAMESPACE, type EmbeddedServer } from './embedded-server.ts';

/** The Temporal server that a command talks to. */
export interface TemporalTarget {
  kind: 'configured' | 'embedded';
  /** `host:port` */
  address: string;
  namespace: string;
  /** For `Connection` and `NativeConnection` alike: address, TLS, API key, metadata. */
  connection: ConnectionOptions & { address: string };
  /** The Web UI's address, where it is known. */
  webUi: string | null;
}

/** How {@link resolveTemporalTarget} treats an embedded server that does not run. */
export interface TargetOptions {
  /** Start it; else it is an error. */
  start: boolean;
}

/**
 * The server that Temporal's own client configuration names (a profile of its TOML file, `TEMPORAL_*` variables); where
 * no address is configured, the embedded one. A configured server is not contacted here: see `connectTemporal`.
 *
 * @throws SignalboxError `config` when that configuration cannot be used, `environment` when the embedded server does not
 *   run and is not to be started, or cannot be
 */
export async function resolveTemporalTarget(
  env: Readonly<Record<string, string | undefined>>,
  server: EmbeddedServer,
  options: TargetOptions,
): Promise<TemporalTarget> {
  const configured = configuredTarget(env, server);
  if (configured !== null) return configured;
  const status = options.start ? await server.start() : server.status();
  if (status.address === null) {
    throw new SignalboxError('environment', 'no Temporal server is configured, and the embedded one does not run', {
      hint: '`signalbox run start` starts it with a first run, `signalbox server start` without; TEMPORAL_ADDRESS names another server.',
    });
  }
  return {
    kind: 'embedded',
    address: status.address,
    namespace: EMBEDDED_NAMESPACE,
    connection: { address: status.address },
    webUi: status.webUi,
  };
}

function configuredTarget(
  env: Readonly<Record<string, string | undefined>>,
  server: EmbeddedServer,
): TemporalTarget | null {
  const { namespace, connectionOptions } = loadConfiguration(env);
  const { address, tls, apiKey, metadata } = connectionOptions;
  if (!address) {
    if (namespace === undefined || namespace === EMBEDDED_NAMESPACE) return null;
    throw new SignalboxError('config', `the Temporal namespace ${namespace} is configured, but no address`, {
      hint: 'Set TEMPORAL_ADDRESS too, or remove the namespace to use the embedded server.',
    });
  }
  return {
    kind: 'configured',
    address,
    namespace: namespace ?? 'default',
    connection: {
      address,
      ...(tls === undefined ? {} : { tls }),
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(metadata === undefined ? {} : { metadata }),
    },
    webUi: env['SIGNALBOX_WEB_UI'] || knownWebUi(address, server),
  };
}

function loadConfiguration(env: Readonly<Record<string, string | undefined>>): ReturnType<typeof toClientOptions> {
  const defined = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  try {
    return toClientOptions(loadClientConfigProfile({ overrideEnvVars: Object.fromEntries(defined) }));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SignalboxError('config', `Temporal's client configuration cannot be used: ${reason}`, { cause: error });
  }
}

function knownWebUi(address: string, server: EmbeddedServer): string | null {
  const status = server.status();
  if (status.address === address.replace(/^localhost:/, '127.0.0.1:')) return status.webUi;
  const host = address.replace(/:\d+$/, '');
  return /\.(?:tmprl\.cloud|api\.temporal\.io)$/.test(host) ? 'https://cloud.temporal.io' : null;
}
