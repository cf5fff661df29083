import { InterceptingCall, type Interceptor, Metadata, status } from '@grpc/grpc-js';
import {
  type Connection,
  type ConnectionOptions,
  defaultGrpcRetryOptions,
  makeGrpcRetryInterceptor,
} from '@temporalio/client';

import { SignalboxError } from '../../core/failures.ts';
import { sharedQueue } from '../../core/ids.ts';
import { namespaceId, requireNamespaceId } from './namespace.ts';
import { connectTemporal } from './reach.ts';
import type { TemporalTarget } from './target.ts';

/** How long the server may take to say who it is, milliseconds. */
const ANSWER_MS = 5000;

/** A server that was away is found again, or another one in its place, within so many milliseconds. */
const RECONNECT_MS = 2000;

/** Another server is where a {@link KnownServer} was. */
export class OtherServerError extends SignalboxError {}

/**
 * The server that was first found at an address, told from whatever comes up there when it has gone: another home's embedded
 * server takes the port that is free, and every connection to the old one finds it, and works.
 */
export class KnownServer {
  readonly target: TemporalTarget;
  /** The task queue that all its workers poll, and no other server has. */
  readonly queue: string;
  readonly #id: string;
  readonly #options: ConnectionOptions;
  /** Only asks who is there; without the SDK's own retries, which would hide that nobody answers. */
  readonly #asking: Connection;

  private constructor(target: TemporalTarget, id: string, options: ConnectionOptions, asking: Connection) {
    this.target = target;
    this.queue = sharedQueue(id);
    this.#id = id;
    this.#options = options;
    this.#asking = asking;
  }

  /** Gets to know the server that answers now. @throws SignalboxError `environment` if none does, or it lacks the namespace */
  static async at(target: TemporalTarget): Promise<KnownServer> {
    const channelArgs = { 'grpc.max_reconnect_backoff_ms': RECONNECT_MS };
    const options = { ...target.connection, channelArgs };
    const asking = await connectTemporal({ ...options, interceptors: [] });
    try {
      return new KnownServer(target, await requireNamespaceId(asking, target.namespace), options, asking);
    } catch (error) {
      await asking.close();
      throw error;
    }
  }

  /** @throws OtherServerError if another server answers by now; what the connection throws if none does */
  async confirm(): Promise<void> {
    const { address, namespace } = this.target;
    const id = await this.#asking.withDeadline(Date.now() + ANSWER_MS, () => namespaceId(this.#asking, namespace));
    if (id === this.#id) return;
    throw new OtherServerError('environment', `another Temporal server answers at ${address} than the one before`);
  }

  /** A connection on which each call, also one that is tried again, reaches this server or fails. */
  async connect(): Promise<Connection> {
    const interceptors = [makeGrpcRetryInterceptor(defaultGrpcRetryOptions()), this.#confirming()];
    return await connectTemporal({ ...this.#options, interceptors });
  }

  async close(): Promise<void> {
    await this.#asking.close().catch(() => undefined);
  }

  #confirming(): Interceptor {
    return (options, nextCall) =>
      new InterceptingCall(nextCall(options), {
        start: (metadata, listener, next) => {
          this.confirm().then(
            () => next(metadata, listener),
            (error: unknown) => {
              const code = error instanceof OtherServerError ? status.FAILED_PRECONDITION : status.UNAVAILABLE;
              const details = error instanceof Error ? error.message : String(error);
              // A call that failed has had no message, and says so first: the SDK's retries wait for it.
              listener.onReceiveMessage(null);
              listener.onReceiveStatus({ code, details, metadata: new Metadata() });
            },
          );
        },
      });
  }
}
