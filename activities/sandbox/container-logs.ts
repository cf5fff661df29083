import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { Container } from 'dockerode';
import { codeOf } from '../system-errors.ts';
import { engineStatus } from './engine.ts';
import type { RunStepOptions } from './sandbox.ts';
import type { StepDirectory } from './step-directory.ts';

/** How often it is looked whether a container that is being read has ended, milliseconds. */
const LOOK = 5000;

/** Hands over the first `limit` bytes of what is written, leaving out the first `skip` of them. */
class BoundedSink extends Writable {
  position = 0;
  private readonly limit: number;
  private readonly skip: number;
  private readonly onChunk: (chunk: Buffer) => void;

  constructor(limit: number, skip: number, onChunk: (chunk: Buffer) => void) {
    super();
    this.limit = limit;
    this.skip = skip;
    this.onChunk = onChunk;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const from = Math.max(0, this.skip - this.position);
    const piece = chunk.subarray(from, Math.max(from, this.limit - this.position));
    this.position += chunk.length;
    if (piece.length > 0) this.onChunk(piece);
    done();
  }
}

/** Reads one container's output, from its start, and gives each byte of standard output to its reader once. */
export class ContainerLogs {
  private readonly container: Container;
  private readonly limit: number;
  private readonly onStdout: RunStepOptions['onStdout'];
  /** Bytes of standard output that the reader has. */
  delivered = 0;

  constructor(container: Container, limit: number, onStdout: RunStepOptions['onStdout']) {
    this.container = container;
    this.limit = limit;
    this.onStdout = onStdout;
  }

  /**
   * Delivers standard output until the container ends or the engine hangs up. How it ended is not for a stream to say.
   * (The engine's own `wait` is of no use: its client never settles when the engine dies under it.)
   *
   * @throws the signal's reason, when it is aborted
   */
  async follow(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    // Not by the client's own abort option, which was seen to raise an error beside the one that is caught here.
    const cutting = new AbortController();
    let outlived = 0;
    try {
      const stream = await this.container.logs({ stdout: true, stderr: false, follow: true });
      // Over HTTP the stream is the response itself; the client's types say less.
      const cut = (): void => void (stream as unknown as Destroyable).destroy();
      signal?.addEventListener('abort', cut, { signal: cutting.signal });
      if (signal?.aborted === true) cut();
      // Engines have been known to leave such a stream open after its container has ended.
      const watch = setInterval(() => {
        void this.isOver().then((over) => {
          if (over && (outlived += 1) > 1) cut();
        });
      }, LOOK);
      cutting.signal.addEventListener('abort', () => clearInterval(watch));
      const sink = new BoundedSink(this.limit, this.delivered, (chunk) => this.deliver(chunk));
      demultiplexer(this.container).demuxStream(stream, sink, sink);
      await finished(stream);
    } catch (error) {
      // A stream that was cut is read again by `record`, or by the next `follow`.
      const [status, code] = [engineStatus(error), codeOf(error)];
      const cut = status === 404 || status === 409 || code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE';
      if (!cut && outlived === 0 && signal?.aborted !== true) throw error;
    } finally {
      cutting.abort();
    }
    signal?.throwIfAborted();
  }

  /** Writes both streams of an ended container to its step's directory, and delivers what was not delivered yet. */
  async record(directory: StepDirectory): Promise<void> {
    const draft = `output.${randomUUID()}`;
    const files = {
      stdout: createWriteStream(directory.file(`${draft}.out`)),
      stderr: createWriteStream(directory.file(`${draft}.err`)),
    };
    try {
      const stdout = new BoundedSink(this.limit + 1, 0, (chunk) => files.stdout.write(chunk));
      const stderr = new BoundedSink(this.limit + 1, 0, (chunk) => files.stderr.write(chunk));
      const late = new BoundedSink(this.limit, this.delivered, (chunk) => this.deliver(chunk));
      const both = new Writable({
        write(chunk: Buffer, _encoding, done) {
          late.write(chunk);
          stdout.write(chunk, () => done());
        },
      });
      const stream = await this.container.logs({ follow: true, stdout: true, stderr: true });
      demultiplexer(this.container).demuxStream(stream, both, stderr);
      await finished(stream);
      files.stdout.end();
      files.stderr.end();
      await Promise.all([finished(files.stdout), finished(files.stderr)]);
      // Whoever is first has read a container that was still whole; it is removed only afterwards.
      directory.adopt(`${draft}.out`, 'stdout');
      directory.adopt(`${draft}.err`, 'stderr');
    } finally {
      for (const file of Object.values(files)) file.destroy();
      directory.drop(`${draft}.out`, `${draft}.err`);
    }
  }

  /** Has the container ended, as far as the engine says? */
  private async isOver(): Promise<boolean> {
    try {
      return !(await this.container.inspect()).State.Running;
    } catch {
      // Whoever reads on finds out what is wrong.
      return false;
    }
  }

  private deliver(chunk: Buffer): void {
    this.delivered += chunk.length;
    this.onStdout?.(chunk);
  }
}

interface Destroyable {
  destroy(): unknown;
}

interface Demultiplexer {
  demuxStream(from: NodeJS.ReadableStream, stdout: Writable, stderr: Writable): void;
}

/** The part of the client that tells the streams apart; its types leave it open. */
function demultiplexer(container: Container): Demultiplexer {
  return container.modem as Demultiplexer;
}
