import { isUtf8 } from 'node:buffer';
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

/** The most bytes that a configuration or task file may have. */
export const MOST_BYTES = 1024 * 1024;

/** A file's text without a byte order mark, and its bytes; or why it is no text that we take. */
export type TextFile = { text: string; bytes: Buffer } | { problem: string };

/** Reads a regular UTF-8 file of at most {@link MOST_BYTES}. @throws Error of Node's when it cannot be opened */
export function readTextFile(file: string): TextFile {
  // Opening a FIFO would wait for its writer.
  const handle = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const facts = fstatSync(handle);
    if (!facts.isFile()) return { problem: 'is not a regular file' };
    if (facts.size > MOST_BYTES) return { problem: `has ${facts.size} bytes; at most ${MOST_BYTES} are allowed` };
    const bytes = readFileSync(handle);
    if (!isUtf8(bytes)) return { problem: 'is not UTF-8 text' };
    // Unlike Buffer.toString this drops a byte order mark.
    const text = new TextDecoder().decode(bytes);
    return text.includes('\0') ? { problem: 'holds NUL characters' } : { text, bytes };
  } finally {
    closeSync(handle);
  }
}
