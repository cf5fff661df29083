import { once } from 'node:events';
import { homeOf } from '../activities/home.ts';
import { codecToken, createCodecServer } from '../activities/payloads/codec-server.ts';
import { EncryptionCodec } from '../activities/payloads/encryption-codec.ts';
import { PayloadKeys } from '../activities/payloads/payload-keys.ts';
import { SignalboxError } from '../core/failures.ts';
import { codeOf } from '../activities/system-errors.ts';
import { findTarget } from './session.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** What {@link startCodecEndpoint} is given. */
export interface CodecEndpointRequest {
  env: Env;
  port: number;
  /** Web pages that may ask; none: the Web UI of the server that is configured or embedded. */
  origins: readonly string[];
  onProgress: (text: string) => void;
}

/** An endpoint that answers. */
export interface CodecEndpoint {
  /** For the Web UI's settings; keep it to yourself. */
  url: string;
  origins: readonly string[];
  close: () => Promise<void>;
}

/**
 * Answers the Web UI on a port of 127.0.0.1.
 *
 * @throws SignalboxError `refused` without keys; `usage` for an origin that is none, or where none is known; `environment`
 *   for a port that is taken
 */
export async function startCodecEndpoint({ env, port, ...request }: CodecEndpointRequest): Promise<CodecEndpoint> {
  const home = homeOf(env);
  const keys = new PayloadKeys(home, env);
  const token = codecToken(keys);
  const origins = request.origins.length > 0 ? request.origins.map(checkedOrigin) : await webUiOrigins(request, env);
  const server = createCodecServer({ codec: new EncryptionCodec(keys), origins, token });
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch (cause) {
    throw new SignalboxError('environment', `port ${port} cannot be listened on (${String(codeOf(cause))})`, {
      hint: 'Name another one with --port.',
      cause,
    });
  }
  return {
    url: `http://127.0.0.1:${port}/${token}`,
    origins,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function webUiOrigins({ onProgress }: Pick<CodecEndpointRequest, 'onProgress'>, env: Env): Promise<string[]> {
  const { webUi } = await findTarget(homeOf(env), { env, startServer: false, onProgress });
  if (webUi === null) {
    throw new SignalboxError('usage', 'the address of the Web UI is not known', { hint: 'Name it with --origin.' });
  }
  const { origin } = new URL(webUi);
  return origin.includes('//127.0.0.1') ? [origin, origin.replace('//127.0.0.1', '//localhost')] : [origin];
}

function checkedOrigin(text: string): string {
  const origin = URL.parse(text)?.origin ?? 'null';
  if (origin !== 'null' && origin === text.replace(/\/$/, '')) return origin;
  throw new SignalboxError('usage', `${JSON.stringify(text)} is no origin such as http://127.0.0.1:8233`);
}
