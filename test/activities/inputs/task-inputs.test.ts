import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { homeOf, type Home } from '../../../activities/home.ts';
import { inputVariables, sealInput } from '../../../activities/inputs/task-inputs.ts';
import type { RunRef } from '../../../core/run-ref.ts';
import { manifestSchema } from '../../../core/task-file.ts';

let home: Home;
beforeEach(() => {
  home = homeOf({ SIGNALBOX_HOME: mkdtempSync(path.join(tmpdir(), 'signalbox-inputs-')) });
});
afterEach(() => rmSync(home.root, { recursive: true, force: true }));

const inputs = [
  { name: 'port', prompt: 'Which port?' },
  { name: 'Db_Token', prompt: 'The token?', secret: true },
  { name: 'later', prompt: 'Not given yet?' },
];
const task = {
  manifest: { ...manifestSchema.parse({ inputs }), id: 'a', name: 'a' },
  body: 'x',
  file: 'a.md',
  digest: 'd',
};
const attempt = { run: { project: 'p', run: 'r1' } as RunRef, task: 'a' };

test('plain and secret values become variables of their own kind; what the file does not ask for is dropped', () => {
  const values = {
    port: { value: '8080' },
    Db_Token: sealInput(home, { project: 'p', run: 'r1', task: 'a' }, 'Db_Token', 's3cret'),
    PATH: { value: '/x' },
  };
  expect(inputVariables(home, attempt, task, values)).toEqual({
    env: { SIGNALBOX_INPUT_PORT: '8080' },
    secrets: { SIGNALBOX_INPUT_DB_TOKEN: 's3cret' },
  });
  expect(inputVariables(home, attempt, task, {})).toEqual({ env: {}, secrets: {} });
});

test('a plain value for a secret, and a sealed one for what is none, are not used', () => {
  const values = {
    port: sealInput(home, { project: 'p', run: 'r1', task: 'a' }, 'port', '1'),
    Db_Token: { value: 'clear' },
  };
  expect(inputVariables(home, attempt, task, values)).toEqual({ env: {}, secrets: {} });
});

test('the longest secret is taken; a longer one is refused when it is given', () => {
  const longest = "%'ä".repeat(1024);
  expect(sealInput(home, { project: 'p', run: 'r1', task: 'a' }, 'x', longest)).toHaveProperty('sealed');
  for (const value of [`${longest}x`, 'a\0b'])
    expect(() => sealInput(home, { project: 'p', run: 'r1', task: 'a' }, 'x', value)).toThrow(
      /more than 4096 bytes, or holds a NUL/,
    );
});
