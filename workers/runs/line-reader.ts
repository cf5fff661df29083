import { closeSync, openSync, readSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';

const PIECE = 256 * 1024;

/** Reads the lines of a file that still grows, from where it stopped. A file that is not there yet has none. */
export class LineReader {
  readonly #file: string;
  readonly #decoder = new StringDecoder('utf8');
  #offset = 0;
  #rest = '';

  constructor(file: string) {
    this.#file = file;
  }

  /** The complete lines since the last call. @param complete nothing more comes: a last line without its end counts */
  read(complete: boolean): string[] {
    const lines = (this.#rest + this.#readOn()).split('\n');
    this.#rest = lines.pop() ?? '';
    if (complete && this.#rest !== '') {
      lines.push(this.#rest);
      this.#rest = '';
    }
    return lines;
  }

  #readOn(): string {
    let file: number;
    try {
      file = openSync(this.#file, 'r');
    } catch {
      return '';
    }
    try {
      const buffer = Buffer.alloc(PIECE);
      let text = '';
      for (;;) {
        const bytes = readSync(file, buffer, 0, PIECE, this.#offset);
        if (bytes === 0) return text;
        this.#offset += bytes;
        text += this.#decoder.write(buffer.subarray(0, bytes));
      }
    } finally {
      closeSync(file);
    }
  }
}
