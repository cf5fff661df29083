import { readFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../package-root.ts';

/** How secrets of one kind look. */
export interface SecretRule {
  id: string;
  /** Bits a character that a secret exceeds: placeholders do not. */
  entropy: number;
  /** In lower case; where none of them is, the pattern need not be tried. */
  keywords: readonly string[];
  /** Its one group, else all that it matches, is the secret. */
  pattern: RegExp;
}

/** The file of the shapes, which `docker/redact.pl` reads too. */
export const RULES_FILE = path.join(packageRoot(), 'docker', 'secret-rules.tsv');

let read: readonly SecretRule[] | null = null;

/** The shapes of well-known secrets. */
export function secretRules(): readonly SecretRule[] {
  read ??= readFileSync(RULES_FILE, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [id = '', entropy = '', keywords = '', pattern = ''] = line.split('\t');
      return { id, entropy: Number(entropy), keywords: keywords.split(','), pattern: new RegExp(pattern, 'g') };
    });
  return read;
}

/** Shannon entropy, bits a character. */
export function entropyOf(text: string): number {
  const counts = new Map<string, number>();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
