import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { homeOf } from '../../../activities/home.ts';
import { stepToken } from '../../../activities/models/gateway-secret.ts';
import { packageRoot } from '../../../activities/package-root.ts';
import { RedactingStream } from '../../../activities/redaction/redacting-stream.ts';
import { Redactor, type KnownSecrets } from '../../../activities/redaction/redactor.ts';
import { RULES_FILE, secretRules } from '../../../activities/redaction/secret-rules.ts';
import { GITHUB_TOKEN, PRIVATE_KEY, SHAPES } from '../../support/canaries.ts';

const KNOWN = `corr+ct/h0rse "b&ttery" stäple\\`;
const TWO_LINES = 'first-half-of-it\nsecond-half-of-it\n';

const home = mkdtempSync(path.join(tmpdir(), 'signalbox-redaction-'));
afterAll(() => rmSync(home, { recursive: true }));

/** The same bytes through each of the programs that hide secrets. */
const programs: Record<string, (known: KnownSecrets, input: string) => string> = {
  'the redactor of texts': (known, input) => new Redactor(known).text(input),
  'the redactor of streams': (known, input) => inPieces(known, Buffer.from(input), 7),
  'the program of steps': (known, input) => {
    const redactor = new Redactor(known);
    const told = [...redactor.texts.map((text) => `=${text}\n`), ...redactor.patterns.map((text) => `~${text}\n`)];
    const program = path.join(packageRoot(), 'docker', 'redact.pl');
    const ran = spawnSync('perl', [program, RULES_FILE], { input: `${told.join('')}\n${input}`, encoding: 'utf8' });
    expect(ran.stderr).toBe('');
    return ran.stdout;
  },
};

function inPieces(known: KnownSecrets, bytes: Buffer, size: number): string {
  const chunks: Buffer[] = [];
  const stream = new RedactingStream(new Redactor(known), (chunk) => chunks.push(chunk));
  for (let at = 0; at < bytes.length; at += size) stream.write(bytes.subarray(at, at + size));
  stream.end();
  return Buffer.concat(chunks).toString('utf8');
}

describe.each(Object.entries(programs))('%s', (_name, redact) => {
  const known = (input: string): string => redact({ secrets: [KNOWN, TWO_LINES] }, input);

  test('hides a known value as it is, in JSON, in JSON in JSON, in addresses and in hexadecimal digits', () => {
    const json = JSON.stringify({ a: KNOWN });
    const url = `https://example.org/?q=${encodeURIComponent(KNOWN)}&${new URLSearchParams({ s: KNOWN }).toString()}&end`;
    const hex = Buffer.from(KNOWN).toString('hex');
    expect(known(`<${KNOWN}> ${KNOWN}\n`)).toBe('<***> ***\n');
    expect(known(`${json}\n${JSON.stringify({ json })}\n`)).toBe('{"a":"***"}\n{"json":"{\\"a\\":\\"***\\"}"}\n');
    expect(known(url)).toBe('https://example.org/?q=***&s=***&end');
    expect(known(`${hex} ${hex.toUpperCase()}`)).toBe('*** ***');
    expect(known(`${TWO_LINES}${TWO_LINES}`)).toBe('***\n***\n***\n***\n');
  });

  test.each(['', 'x', 'xy', 'user:'])('hides a known value in base64 after %j', (before) => {
    const encoded = Buffer.from(`${before}${KNOWN} and more`).toString('base64');
    const shown = known(encoded).replaceAll('*', '');
    expect(Buffer.from(shown, 'base64').toString('latin1')).not.toContain(KNOWN.slice(3, 9));
    expect(shown.length).toBeLessThan(encoded.length - KNOWN.length);
  });

  test.each(Object.entries(SHAPES))('hides %s, whose value nobody told', (_kind, secret) => {
    for (const text of [`a ${secret} b`, JSON.stringify({ text: `line\n${secret}\nline` }), `x=${secret}`]) {
      const shown = redact({}, `${text}\n`);
      expect(shown).toContain('***');
      expect(shown).not.toContain(secret.slice(-12));
    }
    const encoded = redact({}, `${Buffer.from(`TOKEN=${secret}`).toString('base64')}\n`);
    expect(encoded).toMatch(/^\*{3}={0,2}\n$/);
  });

  test('hides a private key over its lines, and goes on after it', () => {
    expect(redact({}, `before\n${PRIVATE_KEY}after\n`)).toMatch(/^before\n\*\*\*\n?after\n$/);
    expect(redact({}, `${JSON.stringify({ PRIVATE_KEY })}\n`)).toBe('{"PRIVATE_KEY":"***\\n"}\n');
  });

  test('hides a step’s token for the gateway', () => {
    const token = stepToken(homeOf({ SIGNALBOX_HOME: home }), 'demo..r1..001..1..turn-1');
    expect(redact({}, `OPENAI_API_KEY=${token}\n`)).toBe('OPENAI_API_KEY=***\n');
  });

  test('hides what a pattern of the configuration matches', () => {
    expect(redact({ patterns: ['acme-[0-9]{4}', 'zz+'] }, 'acme-1234 acme-12 zzz')).toBe('*** acme-12 ***');
  });

  test('leaves digests, git ids, integrity hashes, thread ids and code as they are', () => {
    const lock = readFileSync(path.join(packageRoot(), 'package-lock.json'), 'utf8');
    expect(redact({ secrets: [KNOWN] }, lock)).toBe(lock);
    const rules = readFileSync(path.join(packageRoot(), 'activities', 'redaction', 'redactor.ts'), 'utf8');
    expect(redact({ secrets: [KNOWN] }, rules)).toBe(rules);
    const random = Array.from({ length: 300 }, () => {
      const bytes = randomBytes(64);
      return [
        `commit ${bytes.toString('hex').slice(0, 40)}`,
        `sha256:${bytes.toString('hex').slice(0, 64)} sha512-${bytes.toString('base64')}`,
        `{"type":"thread.started","thread_id":"0199a213-81c0-7800-8aa1-${bytes.toString('hex').slice(0, 12)}"}`,
        `v1.${bytes.toString('base64url')} heroku sourcegraph ${bytes.toString('hex').slice(0, 40)}`,
      ].join('\n');
    }).join('\n');
    expect(redact({ secrets: [KNOWN] }, random)).toBe(random);
  });

  test('leaves bytes that are no text, empty lines and a missing last line break as they are', () => {
    expect(redact({ secrets: [KNOWN] }, '\n\n péché\u0000\t\r\n\n***\n-')).toBe('\n\n péché\u0000\t\r\n\n***\n-');
  });
});

describe('a stream', () => {
  const whole = Buffer.from(`start ${KNOWN} middle ${GITHUB_TOKEN} ${Buffer.from(KNOWN).toString('base64')} end`);

  test.each([1, 2, 3, 5, 17, 64])('hides what comes in pieces of %d bytes', (size) => {
    expect(inPieces({ secrets: [KNOWN] }, whole, size)).toMatch(/^start \*\*\* middle \*\*\* \*\*\*\S{0,3} end$/);
  });

  test('hides what stands where a very long line is cut', () => {
    for (const shift of [0, 17]) {
      const line = `${'x'.repeat(shift)} ${`${GITHUB_TOKEN} ${'y '.repeat(450)}`.repeat(8_000)}`;
      expect(inPieces({}, Buffer.from(line), 65_536)).not.toContain('ghp_');
    }
  });

  test('passes bytes on that are no UTF-8', () => {
    const chunks: Buffer[] = [];
    const bytes = Buffer.from([0xff, 0xfe, 0x0a, 0x80, 0x00, 0xc3]);
    const stream = new RedactingStream(new Redactor({ secrets: [KNOWN] }), (chunk) => chunks.push(chunk));
    stream.write(bytes);
    stream.end();
    expect(Buffer.concat(chunks)).toEqual(bytes);
  });
});

describe('a value', () => {
  test('is cleaned in its texts and its keys, and keeps its shape', () => {
    const redactor = new Redactor({ secrets: [KNOWN] });
    const value = { a: [KNOWN, 1, null, true], [`k ${GITHUB_TOKEN}`]: { b: `x${KNOWN}` } };
    expect(redactor.value(value)).toEqual({ a: ['***', 1, null, true], 'k ***': { b: 'x***' } });
  });
});

test('the rules are those of a maintained set, and each matches something', () => {
  expect(secretRules().length).toBeGreaterThan(100);
  for (const { id, keywords, pattern } of secretRules())
    expect([id, keywords.length > 0, pattern.source]).not.toContain('');
});
