import { describe, expect, test } from '@jest/globals';
import { type Config, configSchema } from '../../core/config.ts';
import {
  CONFIG_KEYS_WITHOUT_EFFECT,
  ignoredConfigKeys,
  ignoredTaskKeys,
  integrationChecks,
  TASK_KEYS_WITHOUT_EFFECT,
} from '../../core/run-settings.ts';
import { manifestSchema } from '../../core/task-file.ts';
import * as z from 'zod';

const config = (value: unknown): Config => ({ ...configSchema.parse(value), project: 'p' });

describe('integrationChecks', () => {
  test.each([
    [{ doctor: 'make' }, { commands: ['make'], verified: true }],
    [
      { doctor: 'make', integration: ['a', 'b'] },
      { commands: ['a', 'b'], verified: true },
    ],
    [
      { doctor: 'make', integration: [] },
      { commands: [], verified: false },
    ],
    [{ integration: [] }, { commands: [], verified: false }],
    [{}, null],
  ])('of %j is %j', (checks, expected) => {
    expect(integrationChecks(config({ checks }))).toEqual(expected);
  });
});

describe('keys without effect', () => {
  test('are named when they are set to something else than their default', () => {
    const set = config({
      scope: { mode: 'warn' },
      checks: { canary: { mode: 'env' } },
      validators: { tests: { mode: 'warn' } },
    });
    expect(ignoredConfigKeys(set)).toEqual(['validators']);
    expect(ignoredConfigKeys(config({}))).toEqual([]);
    const manifest = { ...manifestSchema.parse({ tdd: 'strict', tests: { paths: ['test/**'] } }), id: 'a', name: 'a' };
    expect(ignoredTaskKeys(manifest)).toEqual(['tests', 'tdd']);
  });

  test.each([
    [configSchema, CONFIG_KEYS_WITHOUT_EFFECT],
    [manifestSchema, TASK_KEYS_WITHOUT_EFFECT],
  ])('are keys of the schema', (schema, keys) => {
    for (const key of keys) {
      const path = key.split('.').flatMap((part) => ['properties', part]);
      const found = path.reduce<unknown>(
        (here, part) => (typeof here === 'object' && here !== null ? Reflect.get(here, part) : undefined),
        z.toJSONSchema(schema, { io: 'input' }),
      );
      expect([key, typeof found]).toEqual([key, 'object']);
    }
  });
});
