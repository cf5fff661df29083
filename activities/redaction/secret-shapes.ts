import { entropyOf, secretRules, type SecretRule } from './secret-rules.ts';

/** Where something secret stands in a text: UTF-16 offsets, the end not included. */
export type Span = readonly [from: number, to: number];

/** Runs that may be base64 of a secret. */
const ENCODED = /[A-Za-z0-9+/_-]{24,}/g;

const rules = (): readonly SecretRule[] => secretRules();
let keywords: RegExp | null = null;

/** Where a text holds secrets of a well-known shape, as they are or as base64; unordered. */
export function shapesIn(text: string): Span[] {
  const found = plainShapes(text);
  for (const match of text.matchAll(ENCODED)) {
    const decoded = Buffer.from(match[0], 'base64').toString('latin1');
    if (plainShapes(decoded).length > 0) found.push([match.index, match.index + match[0].length]);
  }
  return found;
}

function plainShapes(text: string): Span[] {
  keywords ??= new RegExp(
    rules()
      .flatMap((rule) => rule.keywords.map(escaped))
      .join('|'),
    'i',
  );
  if (!keywords.test(text)) return [];
  const lower = text.toLowerCase();
  const masked = withoutEscapes(text);
  return rules().flatMap((rule) => {
    if (!rule.keywords.some((word) => lower.includes(word))) return [];
    return [...masked.matchAll(rule.pattern)].flatMap((match): Span[] => {
      const secret = match[1] ?? match[0];
      const from = match.index + (match[1] === undefined ? 0 : match[0].lastIndexOf(secret));
      return rule.entropy > 0 && entropyOf(secret) <= rule.entropy ? [] : [[from, from + secret.length]];
    });
  });
}

/** Of the same length, with blanks for what would look like a part of a secret that comes after it. */
function withoutEscapes(text: string): string {
  return (
    text
      // eslint-disable-next-line no-control-regex -- they are what is looked for
      .replaceAll(/\\u001b\[[0-9;]*m|\u001b\[[0-9;]*[A-Za-z]/g, (escape) => ' '.repeat(escape.length))
      .replaceAll(/\\[nrtbf]/g, '  ')
      .replaceAll(/%[0-9A-Fa-f]{2}/g, '   ')
  );
}

/** A text as a pattern that matches just it. */
export function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
