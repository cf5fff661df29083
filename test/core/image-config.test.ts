import { expect, test } from '@jest/globals';
import { configSchema } from '../../core/config.ts';

const problems = (sandbox: object): string[] =>
  configSchema.safeParse({ sandbox }).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];

test('keys about the image that say nothing beside the others are refused, each by its name', () => {
  expect(problems({ build_context: '.' })).toEqual(['sandbox.build_context: says nothing without dockerfile']);
  expect(problems({ image: 'node:24', dockerfile: 'Dockerfile', build_args: { BASE: 'a' } })).toEqual([
    expect.stringMatching(/^sandbox\.dockerfile: says nothing beside image/),
    expect.stringMatching(/^sandbox\.build_args: says nothing beside image/),
  ]);
});

test.each([
  [{ image: 'node:24' }],
  [{ build_args: { BASE: 'debian:12' } }],
  [{ dockerfile: 'Dockerfile', build_context: '.', build_args: { A_1: '' } }],
])('%j is fine', (sandbox) => {
  expect(problems(sandbox)).toEqual([]);
});
