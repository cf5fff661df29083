import { escaped, shapesIn, type Span } from './secret-shapes.ts';
import { secretWritings } from './secret-writings.ts';

/** What stands in the place of a secret. */
export const REDACTED = '***';

/** What is to be hidden besides what looks like a secret by itself. */
export interface KnownSecrets {
  /** Values. */
  secrets?: readonly string[];
  /** Regular expressions, each of which matches secrets as a whole. */
  patterns?: readonly string[];
}

/**
 * Puts `***` in the place of secrets: of known ones in every form that {@link secretWritings} lists, and of what has the
 * shape of a well-known kind. It learns more while it is used: what one run says is secret is hidden in what others write,
 * too.
 */
export class Redactor {
  readonly #texts = new Set<string>();
  readonly #patterns = new Set<string>();
  #inText: RegExp = /(?!)/g;
  #inBytes: RegExp = /(?!)/g;

  constructor(known: KnownSecrets = {}) {
    this.learn(known);
  }

  /** Hides these from now on, too. */
  learn({ secrets = [], patterns = [] }: KnownSecrets): void {
    const before = this.#texts.size + this.#patterns.size;
    for (const text of secretWritings(secrets)) this.#texts.add(text);
    for (const pattern of patterns) this.#patterns.add(pattern);
    if (this.#texts.size + this.#patterns.size > before) this.#compile();
  }

  /** This one, or where there is more to hide one of its own that hides that as well. */
  with(secrets: readonly string[]): Redactor {
    if (secretWritings(secrets).every((text) => this.#texts.has(text))) return this;
    const wider = new Redactor({ secrets, patterns: this.patterns });
    for (const text of this.#texts) wider.#texts.add(text);
    wider.#compile();
    return wider;
  }

  /** All ways to write the known secrets, the longest first. */
  get texts(): readonly string[] {
    return [...this.#texts].sort((a, b) => b.length - a.length);
  }

  get patterns(): readonly string[] {
    return [...this.#patterns];
  }

  /** The text without secrets. */
  text(text: string): string {
    return hidden(text, this.#spans(text, this.#inText));
  }

  /**
   * Where bytes hold secrets, in order, apart from each other.
   *
   * @param bytes as Latin-1
   */
  spansInBytes(bytes: string): Span[] {
    return this.#spans(bytes, this.#inBytes);
  }

  /** A JSON value without secrets in its texts and keys; the same value if there are none. */
  value<T>(value: T): T {
    return this.#value(value) as T;
  }

  /** JSON without secrets: the same text if there are none. */
  json(text: string): string {
    const plain = this.text(text);
    if (plain === text || !isJson(text)) return plain;
    const clean = JSON.stringify(this.value(JSON.parse(text) as unknown));
    // Some are secrets only together with the key before them.
    const cleaner = this.text(clean);
    return isJson(cleaner) ? cleaner : clean;
  }

  #compile(): void {
    const compiled = (write: (text: string) => string): RegExp => {
      const texts = this.texts.map((text) => escaped(write(text)));
      return new RegExp([...texts, ...[...this.#patterns].map((pattern) => `(?:${pattern})`)].join('|'), 'g');
    };
    this.#inText = compiled((text) => text);
    this.#inBytes = compiled((text) => Buffer.from(text, 'utf8').toString('latin1'));
  }

  #value(value: unknown): unknown {
    if (typeof value === 'string') return this.text(value);
    if (Array.isArray(value)) return value.map((item) => this.#value(item));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [this.text(key), this.#value(item)]));
  }

  #spans(text: string, known: RegExp): Span[] {
    const found: Span[] = [...text.matchAll(known)].map((match) => [match.index, match.index + match[0].length]);
    found.push(...shapesIn(text));
    return merged(found.filter(([from, to]) => to > from));
  }
}

/** The text with `***` for each of the spans, which are in order and apart. */
export function hidden(text: string, spans: readonly Span[]): string {
  if (spans.length === 0) return text;
  let out = '';
  let at = 0;
  for (const [from, to] of spans) {
    out += text.slice(at, from) + REDACTED;
    at = to;
  }
  return out + text.slice(at);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function merged(spans: readonly Span[]): Span[] {
  const out: Span[] = [];
  for (const span of [...spans].sort((a, b) => a[0] - b[0])) {
    const last = out.at(-1);
    // What is hidden in pieces shows as one.
    if (last !== undefined && span[0] <= last[1]) out[out.length - 1] = [last[0], Math.max(last[1], span[1])];
    else out.push(span);
  }
  return out;
}
