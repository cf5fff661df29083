import { expect, test } from '@jest/globals';
import { configSchema } from '../../core/config.ts';
import { commandFor, isShared } from '../../core/merge-drivers.ts';

const drivers = (...list: object[]) => configSchema.parse({ merge: { drivers: list } }).merge.drivers;

test('a driver is one of git’s own or a command, never both or neither', () => {
  const problem = (driver: object): unknown =>
    configSchema.safeParse({ merge: { drivers: [driver] } }).error?.issues[0]?.message;
  expect(problem({ paths: ['a'] })).toBe('must have either a driver or a command');
  expect(problem({ paths: ['a'], driver: 'union', command: 'x' })).toBe('must have either a driver or a command');
  expect(problem({ paths: [], driver: 'union' })).toBe('must name at least one path');
  expect(problem({ paths: ['a'], driver: 'evil' })).toContain('Invalid option');
  expect(drivers({ paths: ['a'], command: 'x', timeout: '90s' })).toEqual([
    { paths: ['a'], command: 'x', timeout: 90_000 },
  ]);
});

test('the last driver that names a file counts', () => {
  const list = drivers(
    { paths: ['**/*.lock'], command: 'first' },
    { paths: ['sub/**'], command: 'second' },
    { paths: ['sub/union.lock'], driver: 'union' },
  );
  expect(['a.lock', 'sub/a.lock', 'sub/union.lock', 'a.txt'].map((path) => commandFor(list, path)?.command)).toEqual([
    'first',
    'second',
    undefined,
    undefined,
  ]);
});

test('files that a driver merges may be changed by several tasks at once', () => {
  const list = drivers(
    { paths: ['*.md', '*.txt'], driver: 'union' },
    { paths: ['*.lock'], command: 'x' },
    { paths: ['own.md'], driver: 'text' },
    { paths: ['own.txt'], driver: 'binary' },
  );
  expect(['a.md', 'a.lock', 'own.md', 'own.txt', 'a.ts'].filter((path) => isShared(list, path))).toEqual([
    'a.md',
    'a.lock',
  ]);
  expect([isShared(list, 'A.MD'), isShared(list, 'A.MD', { ignoreCase: true })]).toEqual([false, true]);
});
