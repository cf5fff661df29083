import { closeSync, openSync, readSync } from 'node:fs';
import { unlessMissing } from '../system-errors.ts';

const CHUNK = 64 * 1024;

/** Reads a growing file from its start, each byte once, and never more than the limit. */
export class OutputTail {
  private readonly file: string;
  private readonly limit: number;
  private readonly onChunk: (chunk: Buffer) => void;
  private descriptor: number | null = null;
  private position: number;

  /** @param position bytes that the reader has already */
  constructor(file: string, limit: number, onChunk: (chunk: Buffer) => void, position = 0) {
    this.position = position;
    this.file = file;
    this.limit = limit;
    this.onChunk = onChunk;
  }

  /** Hands over all that was written since the last call. */
  pump(): void {
    this.descriptor ??= unlessMissing(() => openSync(this.file, 'r'));
    if (this.descriptor === null) return;
    for (;;) {
      const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(CHUNK, this.limit - this.position)));
      const count = buffer.length === 0 ? 0 : readSync(this.descriptor, buffer, 0, buffer.length, this.position);
      if (count === 0) return;
      this.position += count;
      this.onChunk(buffer.subarray(0, count));
    }
  }

  close(): void {
    if (this.descriptor !== null) closeSync(this.descriptor);
    this.descriptor = null;
  }
}
