import { expect, test } from '@jest/globals';
import { problemsOf } from '../../../activities/sandbox/image-needs.ts';
import { configSchema } from '../../../core/config.ts';

const ALL = [
  ...['sh', 'timeout', 'cat', 'head', 'rm', 'sleep', 'grep', 'perl', 'awk'],
  ...['git', 'node', 'rg', 'socat', 'certificates'],
];

/** What is said of an image without some tools. */
function said(without: readonly string[], config: object = {}, broken: readonly string[] = []): string[] {
  const has = new Set(ALL.filter((tool) => !without.includes(tool)));
  const works = new Set([...has].filter((tool) => !broken.includes(tool)));
  const problems = problemsOf({ has, works, user: '65532:65532' }, configSchema.parse(config));
  return problems.map(({ severity, message }) => `${severity} ${message.split(':')[0] ?? ''}`);
}

test('an image that has all has no problem', () => {
  expect(said([])).toEqual([]);
});

test('each missing thing is a message of its own', () => {
  expect(said(['git', 'timeout', 'rg', 'node'])).toEqual([
    'error there is no timeout',
    'error there is no git',
    'warning there is no node',
    'warning there is no rg',
  ]);
});

test('perl or awk is needed; without perl it is worse; both missing is told once', () => {
  expect(said(['awk'])).toEqual([]);
  expect(said(['perl'])).toEqual(['warning there is no perl']);
  expect(said(['perl', 'awk'])).toEqual(['error there is no perl nor awk']);
});

test('what is there and does not work for the user of steps is told apart from what is missing', () => {
  expect(said([], {}, ['git'])).toEqual(['error git is there, but does not work for user 65532']);
});

test('socat and certificates are needed only for what the configuration lets steps reach', () => {
  const missing = ['socat', 'certificates'];
  expect(said(missing, { sandbox: { network: 'none' } })).toEqual([]);
  expect(said(missing)).toEqual(['error there is no socat']);
  expect(said(missing, { sandbox: { network: 'bridge' } })).toEqual(['error there is no certificates']);
  expect(said(missing, { sandbox: { allow: ['npm'] } })).toEqual([
    'error there is no socat',
    'error there is no certificates',
  ]);
  const bootstrap = { commands: 'npm ci', outputs: ['node_modules'] };
  expect(said(missing, { checks: { bootstrap }, sandbox: { network: 'none' } })).toHaveLength(2);
});
