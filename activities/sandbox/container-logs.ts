import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { Container } from 'dockerode';
import { RedactingStream } from '../redaction/redacting-stream.ts';
import type { Redactor } from '../redaction/redactor.ts';
import { codeOf } from '../system-errors.ts';
import { answerOf, engineStatus } from './engine.ts';
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

/** Hands what is written over without secrets; at its end, what it held back of a last line. */
class CleanSink extends Writable {
  /** Bytes that were written to it. */
  written = 0;
  private readonly stream: RedactingStream;

  constructor(redactor: Redactor, onChunk: (chunk: Buffer) => void) {
    super();
    this.stream = new RedactingStream(redactor, onChunk);
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written += chunk.length;
    this.stream.write(chunk);
    done();
  }

  override _final(done: () => void): void {
    this.stream.end();
    done();
  }
}

/** What {@link ContainerLogs} reads, and how. */
export interface ContainerLogsOptions {
  container: Container;
  /** Most bytes of each stream that are kept and handed over. */
  limit: number;
  onStdout: RunStepOptions['onStdout'];
  redactor: Redactor;
}

/**
 * Reads one container's output, from its start, without secrets, and gives each byte of standard output to its reader
 * once. Positions are those of what is left when secrets are hidden.
 */
export class ContainerLogs {
  private readonly container: Container;
  private readonly limit: number;
  private readonly onStdout: RunStepOptions['onStdout'];
  private readonly redactor: Redactor;
  /** Bytes of standard output that the reader has. */
  delivered = 0;

  constructor({ container, limit, onStdout, redactor }: ContainerLogsOptions) {
    this.container = container;
    this.limit = limit;
    this.onStdout = onStdout;
    this.redactor = redactor;
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
      const stream = await answerOf(this.container.logs({ stdout: true, stderr: false, follow: true }));
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
      // Never ended: where the stream is cut in the middle of a line, the next reader has the whole line.
      const clean = new CleanSink(this.redactor, (chunk) => void sink.write(chunk));
      demultiplexer(this.container).demuxStream(stream, clean, clean);
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
      stdout: createWriteStream(directory.file(`${draft}.out`), { mode: 0o600 }),
      stderr: createWriteStream(directory.file(`${draft}.err`), { mode: 0o600 }),
    };
    try {
      const stdout = new BoundedSink(this.limit + 1, 0, (chunk) => files.stdout.write(chunk));
      const stderr = new BoundedSink(this.limit + 1, 0, (chunk) => files.stderr.write(chunk));
      const late = new BoundedSink(this.limit, this.delivered, (chunk) => this.deliver(chunk));
      const clean = {
        stdout: new CleanSink(this.redactor, (chunk) => {
          late.write(chunk);
          stdout.write(chunk);
        }),
        stderr: new CleanSink(this.redactor, (chunk) => void stderr.write(chunk)),
      };
      const stream = await this.container.logs({ follow: true, stdout: true, stderr: true });
      demultiplexer(this.container).demuxStream(stream, clean.stdout, clean.stderr);
      await finished(stream);
      for (const sink of Object.values(clean)) sink.end();
      await Promise.all(Object.values(clean).map((sink) => finished(sink)));
      files.stdout.end();
      files.stderr.end();
      await Promise.all([finished(files.stdout), finished(files.stderr)]);
      // Whoever is first has read a container that was still whole; it is removed only afterwards.
      directory.adopt(`${draft}.out`, 'stdout');
      directory.adopt(`${draft}.err`, 'stderr');
      // What is hidden is shorter: the files alone would not tell that something is missing.
      for (const name of ['stdout', 'stderr'] as const)
        if (clean[name].written > this.limit) directory.publish(`${name}.truncated`, '');
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
