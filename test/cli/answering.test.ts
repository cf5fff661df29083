import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { answerText, givenInputs, type GivenAnswer } from '../../cli/answering.ts';
import type { Context } from '../../cli/framework/context.ts';
import { Input } from '../../cli/framework/input.ts';
import { Output } from '../../cli/framework/output.ts';
import type { WaitingTask } from '../../core/waiting.ts';
import { until } from '../support/until.ts';

const NOTHING: GivenAnswer = { text: undefined, file: undefined, values: [], files: [], variables: [] };

const QUESTION: WaitingTask = {
  run_id: 'r1',
  task_id: '003',
  name: 'add-login',
  kind: 'question',
  id: 1,
  question: 'Keep the old\nspelling?',
  since: '2026-11-21T10:00:00.000Z',
  deadline: null,
  inputs: [],
  commands: [],
};

const INPUTS: WaitingTask = {
  ...QUESTION,
  kind: 'input',
  inputs: [
    { name: 'region', prompt: 'Where to?', secret: false },
    { name: 'token', prompt: 'The token?', secret: true },
  ],
};

let directory: string;
let stdin: PassThrough;
let stderr: PassThrough;
let shown: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'signalbox-answer-'));
  stdin = new PassThrough();
  stderr = new PassThrough();
  shown = '';
  stderr.on('data', (chunk: Buffer) => (shown += chunk.toString()));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function context(isTerminal: boolean, env: Record<string, string> = {}): Context {
  const screen = { stream: stderr, isTerminal };
  const { signal: interrupted } = new AbortController();
  const output = new Output({ json: false, stdout: { stream: new PassThrough(), isTerminal }, stderr: screen, env });
  const input = new Input({ keyboard: { stream: stdin, isTerminal }, screen, json: false, interrupted });
  return { directory, env, input, output, interrupted };
}

/** Types a line as soon as the screen shows something. */
async function type(question: string, line: string): Promise<void> {
  await until(() => shown.includes(question));
  stdin.write(`${line}\r`);
}

describe('the answer to a question', () => {
  test('is the argument, a file, or standard input', async () => {
    writeFileSync(path.join(directory, 'answer.md'), 'from a file\n');
    expect(await answerText(context(false), QUESTION, { ...NOTHING, text: ' yes ' })).toBe('yes');
    expect(await answerText(context(false), QUESTION, { ...NOTHING, file: 'answer.md' })).toBe('from a file');
    stdin.end('two\nlines\n');
    expect(await answerText(context(false), QUESTION, { ...NOTHING, text: '-' })).toBe('two\nlines');
  });

  test('is asked for at a terminal, with the whole question', async () => {
    const asked = answerText(context(true), QUESTION, NOTHING);
    await type('Answer:', 'Keep it.');
    expect(await asked).toBe('Keep it.');
    expect(shown).toContain('003 add-login asks:\nKeep the old\nspelling?');
  });

  test('at a terminal, Ctrl+C and Ctrl+D give none', async () => {
    const interrupted = answerText(context(true), QUESTION, NOTHING);
    await until(() => shown.includes('Answer:'));
    stdin.write('\u0003');
    expect(await interrupted).toBeNull();
    shown = '';
    const ended = answerText(context(true), QUESTION, NOTHING);
    await until(() => shown.includes('Answer:'));
    stdin.write('\u0004');
    expect(await ended).toBeNull();
  });

  test.each<[string, Partial<GivenAnswer>, RegExp]>([
    ['none', {}, /no answer is given; 003 asks: Keep the old/],
    ['an empty one', { text: '  ' }, /the answer is empty/],
    ['two', { text: 'a', file: 'b' }, /given twice/],
    ['a file that is not there', { file: 'nowhere' }, /nowhere cannot be read/],
    ['inputs', { values: [{ name: 'a', text: 'b' }] }, /asks a question, and for no inputs/],
  ])('%s is a usage error without a terminal', async (_what, given, message) => {
    await expect(answerText(context(false), QUESTION, { ...NOTHING, ...given })).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringMatching(message),
    });
  });
});

describe('the inputs of a task', () => {
  test('come from the command line, a file and a variable', async () => {
    writeFileSync(path.join(directory, 'token'), 's3cret\n');
    const given = {
      ...NOTHING,
      values: [{ name: 'region', text: 'eu=west' }],
      files: [{ name: 'token', text: 'token' }],
    };
    expect(await givenInputs(context(false), INPUTS, given)).toEqual(
      new Map([
        ['region', 'eu=west'],
        ['token', 's3cret'],
      ]),
    );
    const variables = [{ name: 'token', text: 'TOKEN' }];
    expect(await givenInputs(context(false, { TOKEN: 'x' }), INPUTS, { ...NOTHING, variables })).toEqual(
      new Map([['token', 'x']]),
    );
  });

  test('are asked for at a terminal where they are missing, a secret one without echo', async () => {
    const given = { ...NOTHING, values: [{ name: 'region', text: 'eu' }] };
    const asked = givenInputs(context(true), INPUTS, given);
    await type('token: The token?', 's3cret');
    expect(await asked).toEqual(
      new Map([
        ['region', 'eu'],
        ['token', 's3cret'],
      ]),
    );
    expect(shown).not.toContain('Where to?');
    expect(shown).not.toContain('s3cret');
  });

  test('what is typed for one that is no secret is shown', async () => {
    const asked = givenInputs(context(true), { ...INPUTS, inputs: INPUTS.inputs.slice(0, 1) }, NOTHING);
    await type('region: Where to?', 'eu');
    expect(await asked).toEqual(new Map([['region', 'eu']]));
    expect(shown).toContain('eu');
  });

  test('a secret one in clear is a usage error that does not repeat it', async () => {
    const given = { ...NOTHING, values: [{ name: 'token', text: 's3cret' }] };
    const error: unknown = await givenInputs(context(true), INPUTS, given).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'usage', hint: expect.stringContaining('--input-file token=PATH') });
    expect(JSON.stringify(error)).not.toContain('s3cret');
    expect(shown).toBe('');
  });

  test.each<[string, Partial<GivenAnswer>, RegExp]>([
    ['none', {}, /no input is given; 003 asks for region, token/],
    ['a text', { text: 'yes' }, /asks for inputs, not for an answer/],
    ['one that is not asked for', { values: [{ name: 'regoin', text: 'eu' }] }, /does not ask for "regoin"/],
    [
      'one that is given twice',
      { values: [0, 1].map(() => ({ name: 'region', text: 'eu' })) },
      /region is given twice/,
    ],
    ['an unset variable', { variables: [{ name: 'token', text: 'UNSET' }] }, /the variable UNSET .* is not set/],
    ['a missing file', { files: [{ name: 'token', text: 'nowhere' }] }, /nowhere cannot be read/],
  ])('%s is a usage error without a terminal', async (_what, given, message) => {
    await expect(givenInputs(context(false), INPUTS, { ...NOTHING, ...given })).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringMatching(message),
    });
  });
});
