import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { catalogueProblems, claimsOf, declaresScope, type PlacedTask } from '../../core/catalogue.ts';
import { configSchema } from '../../core/config.ts';
import { selectTasks, type SelectionRequest } from '../../core/selection.ts';
import { manifestSchema, type Task } from '../../core/task-file.ts';

function task(id: string, manifest: Record<string, unknown> = {}): Task {
  return {
    manifest: { ...manifestSchema.parse(manifest), id, name: id },
    body: 'Do it.',
    file: `${id}.md`,
    digest: '0'.repeat(64),
  };
}

const placed = (...tasks: Task[]): PlacedTask[] =>
  tasks.map((one) => ({ task: one, place: () => ({ line: 1, column: 1 }) }));
const config = configSchema.parse({
  resources: [
    { name: 'database', paths: ['migrations/**', 'src/db/**'] },
    { name: 'docs', paths: ['docs/**'] },
  ],
});
const messages = (...tasks: Task[]): string[] =>
  catalogueProblems(placed(...tasks), config).map(
    ({ file, message, hint }) => `${file}: ${message}${hint === undefined ? '' : `; ${hint}`}`,
  );

describe('catalogueProblems', () => {
  test('tells a cycle with its path, once', () => {
    expect(
      messages(task('a', { depends_on: ['b'] }), task('b', { depends_on: ['c'] }), task('c', { depends_on: ['b'] })),
    ).toEqual(['c.md: the dependencies go in a circle: b → c → b']);
    expect(messages(task('a', { depends_on: ['a'] }))).toEqual(['a.md: the dependencies go in a circle: a → a']);
  });

  test('finds a cycle exactly when there is one, also in deep graphs', () => {
    const edges = fc.array(fc.tuple(fc.nat(7), fc.nat(7)), { maxLength: 12 });
    fc.assert(
      fc.property(edges, (list) => {
        const ids = Array.from({ length: 8 }, (_, i) => `t${i}`);
        const dependencies = (id: string): string[] =>
          list.filter(([from]) => `t${from}` === id).map(([, to]) => `t${to}`);
        const reaches = (from: string, seen = new Set<string>()): Set<string> => {
          for (const to of dependencies(from)) if (!seen.has(to)) reaches(to, seen.add(to));
          return seen;
        };
        const cyclic = ids.some((id) => reaches(id).has(id));
        const found = messages(...ids.map((id) => task(id, { depends_on: dependencies(id) })));
        expect(found.length > 0).toBe(cyclic);
      }),
    );
    const chain = Array.from({ length: 20_000 }, (_, i) => task(`t${i}`, { depends_on: i === 0 ? [] : [`t${i - 1}`] }));
    expect(messages(...chain.reverse())).toEqual([]);
  });

  test('tells ids that are taken, missing dependencies and unknown resources, all at once', () => {
    expect(
      messages(
        task('login', { locks: { writes: ['databse'], reads: ['queue'] } }),
        task('Login', { depends_on: ['logn', 'zzz'] }),
        task('login', { agent: { provider: 'command' } }),
      ),
    ).toEqual([
      'Login.md: id "Login" is already taken by login.md (upper and lower case count as the same)',
      'login.md: id "login" is already taken by login.md',
      'Login.md: depends on "logn", which is no task; did you mean "login"?',
      'Login.md: depends on "zzz", which is no task',
      'login.md: locks "queue", which is no resource of the configuration; there are database, docs',
      'login.md: locks "databse", which is no resource of the configuration; did you mean "database"?',
      'login.md: agent.command must be set, here or in the configuration',
    ]);
  });

  test('does not call a dependency missing whose file is itself wrong', () => {
    const tasks = placed(task('b', { depends_on: ['a'] }));
    expect(catalogueProblems(tasks, config)).toHaveLength(1);
    expect(catalogueProblems(tasks, config, ['a'])).toEqual([]);
  });
});

describe('claimsOf', () => {
  test('joins files with the paths of locked resources', () => {
    const one = task('a', {
      files: { reads: ['src/**'], writes: ['src/a.ts', 'docs/**'] },
      locks: { writes: ['docs', 'database'] },
    });
    expect(claimsOf(one, config)).toEqual({
      reads: ['src/**'],
      writes: ['docs/**', 'migrations/**', 'src/a.ts', 'src/db/**'],
    });
  });

  test('without any scope is a write claim on everything', () => {
    expect(claimsOf(task('a'), config)).toEqual({ reads: [], writes: ['**'] });
    expect(declaresScope(task('a'))).toBe(false);
  });

  test('with reads only claims no writes', () => {
    const reader = task('a', { files: { reads: ['src/**'] } });
    expect(claimsOf(reader, config)).toEqual({ reads: ['src/**'], writes: [] });
    expect(declaresScope(reader)).toBe(true);
  });

  test('of a resource that nobody knows is everything', () => {
    expect(claimsOf(task('a', { locks: { writes: ['gone'] } }), config).writes).toEqual(['**']);
  });
});

describe('selectTasks', () => {
  const tasks = [task('001'), task('002', { depends_on: ['001'] }), task('003', { depends_on: ['002'] })];

  const select = (request: Partial<SelectionRequest>): [string[], string[]] => {
    const selection = selectTasks(tasks, { only: undefined, finished: {}, reuse: true, ...request });
    return [selection.tasks.map(({ manifest }) => manifest.id), Object.keys(selection.reused)];
  };
  const done = { run: 'r1', commit: 'c1' };

  test('gives the tasks in their order', () => {
    expect(select({ only: ['002', '001'] })).toEqual([['001', '002'], []]);
    expect(select({})).toEqual([['001', '002', '003'], []]);
  });

  test('refuses unknown ids with the nearest', () => {
    expect(() => select({ only: ['02', '001', 'zzzz'] })).toThrow(
      'there is no task "02"; did you mean "002"?\nthere is no task "zzzz"',
    );
  });

  test('refuses to leave out an unfinished dependency, and says what to select', () => {
    expect(() => select({ only: ['003'] })).toThrow(
      expect.objectContaining({
        code: 'usage',
        message: 'task 003 depends on 002, which is not selected',
        hint: 'Select with dependencies: --tasks 001,002,003',
      }),
    );
    expect(() => select({ only: ['003'], finished: { '001': done } })).toThrow(
      expect.objectContaining({ hint: 'Select with dependencies: --tasks 002,003' }),
    );
  });

  test('takes a finished dependency in as one, without what it depends on itself', () => {
    expect(select({ only: ['003'], finished: { '002': done } })).toEqual([['002', '003'], ['002']]);
    expect(select({ only: ['002', '003'], finished: { '002': done } })).toEqual([['002', '003'], ['002']]);
  });

  test('does what was named again if asked to, and only that', () => {
    const finished = { '001': done, '002': done, '003': done };
    expect(select({ finished })).toEqual([
      ['001', '002', '003'],
      ['001', '002', '003'],
    ]);
    expect(select({ finished, reuse: false })).toEqual([['001', '002', '003'], []]);
    expect(select({ only: ['002'], finished, reuse: false })).toEqual([['001', '002'], ['001']]);
  });
});
