import { hidden, type Redactor } from './redactor.ts';

/** Of a line longer than this, the beginning is passed on; as many bytes as a secret may have are held back. */
const LONGEST = 4_000_000;
const OVERLAP = 64_000;
/** A private key that never ends must not hide everything after it: lines. */
const LONGEST_KEY = 200;
const KEY_BEGINS = /-----BEGIN[ A-Z0-9_-]{0,100}PRIVATE KEY/;
const KEY_IS_WHOLE = /PRIVATE KEY.*-----END /s;

/** Passes bytes on without secrets, line by line, so that it does not matter in which pieces they come. */
export class RedactingStream {
  readonly #redactor: Redactor;
  readonly #onChunk: (chunk: Buffer) => void;
  /** Latin-1, since bytes need not be text. */
  #held = '';
  #keyLines = 0;

  constructor(redactor: Redactor, onChunk: (chunk: Buffer) => void) {
    this.#redactor = redactor;
    this.#onChunk = onChunk;
  }

  write(chunk: Buffer): void {
    this.#held += chunk.toString('latin1');
    const end = this.#held.lastIndexOf('\n') + 1;
    if (end > 0) {
      const lines = this.#held.slice(0, end);
      this.#held = this.#held.slice(end);
      this.#show(
        lines
          .split(/(?<=\n)/)
          .map((line) => this.#line(line))
          .join(''),
      );
    }
    if (this.#held.length > LONGEST) this.#showBeginning();
  }

  /** Passes on what was held back: no more is coming. */
  end(): void {
    const rest = this.#held;
    this.#held = '';
    if (rest !== '') this.#show(this.#line(rest));
  }

  #line(line: string): string {
    if (this.#keyLines > 0) {
      this.#keyLines = line.includes('-----END ') ? 0 : this.#keyLines - 1;
      return '';
    }
    if (KEY_BEGINS.test(line) && !KEY_IS_WHOLE.test(line)) this.#keyLines = LONGEST_KEY;
    return hidden(line, this.#redactor.spansInBytes(line));
  }

  #showBeginning(): void {
    let cut = this.#held.length - OVERLAP;
    const before = [];
    for (const span of this.#redactor.spansInBytes(this.#held)) {
      if (span[0] >= cut) break;
      before.push(span);
      cut = Math.max(cut, span[1]);
    }
    this.#show(hidden(this.#held.slice(0, cut), before));
    this.#held = this.#held.slice(cut);
  }

  #show(text: string): void {
    if (text !== '') this.#onChunk(Buffer.from(text, 'latin1'));
  }
}
