import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { splitFrontMatter } from '../../../activities/catalogue/front-matter.ts';
import { loadMoreTasks, loadTasks } from '../../../activities/catalogue/task-files.ts';
import { configSchema } from '../../../core/config.ts';
import { SignalboxError } from '../../../core/failures.ts';

const config = configSchema.parse({ resources: [{ name: 'database', paths: ['migrations/**'] }] });
const tasksPath = '.signalbox/tasks';
let root = '';

beforeEach(() => {
  root = realpathSync(mkdtempSync(path.join(tmpdir(), 'signalbox-tasks-')));
  mkdirSync(path.join(root, tasksPath), { recursive: true });
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

function write(name: string, text: string | Buffer): void {
  writeFileSync(path.join(root, tasksPath, name), text);
}

function messageOf(): string {
  try {
    loadTasks(root, config);
  } catch (error) {
    expect(error).toBeInstanceOf(SignalboxError);
    return (error as SignalboxError).message;
  }
  throw new Error('the task files were taken');
}

describe('loadTasks', () => {
  test('reads the example of the contract', () => {
    const text = `---
id: "003"                     # a comment
name: add-login
description: One sentence.
depends_on: ["001"]
priority: 0
estimate: 30m
files: { reads: [], writes: ["src/auth/**", "test/auth/**"] }
locks: { reads: [], writes: [database] }
tests: { paths: ["test/**"], affected: ["test/auth/login.test.ts"] }
tdd: off
verify: { doctor: "npm test", fast: "npm test -- auth", lint: "npm run lint" }
agent: { model: gpt-5-codex }
limits: { attempts: 2 }
approval: none
---
What to do.

---
More of it.
`;
    write('003-add-login.md', text);
    write('001.md', 'First.');
    const tasks = loadTasks(root, config);
    expect(tasks.map(({ manifest }) => [manifest.id, manifest.name])).toEqual([
      ['001', '001'],
      ['003', 'add-login'],
    ]);
    expect(tasks[1]).toEqual({
      manifest: {
        id: '003',
        name: 'add-login',
        description: 'One sentence.',
        depends_on: ['001'],
        priority: 0,
        estimate: 1_800_000,
        files: { reads: [], writes: ['src/auth/**', 'test/auth/**'] },
        locks: { reads: [], writes: ['database'] },
        tests: { paths: ['test/**'], affected: ['test/auth/login.test.ts'] },
        tdd: 'off',
        verify: { doctor: ['npm test'], fast: ['npm test -- auth'], lint: ['npm run lint'] },
        agent: { model: 'gpt-5-codex' },
        inputs: [],
        limits: { attempts: 2 },
        approval: 'none',
      },
      body: 'What to do.\n\n---\nMore of it.',
      file: '.signalbox/tasks/003-add-login.md',
      digest: createHash('sha256').update(text).digest('hex'),
    });
  });

  test('takes id and name from the file where the front matter has none', () => {
    write('007-fix-the-roof.md', 'Fix it.');
    write('T-1-more.md', '---\nid: T-1\n---\nMore.');
    write('8.md', '---\nname: eight\n---\nEight.');
    expect(loadTasks(root, config).map(({ manifest }) => [manifest.id, manifest.name])).toEqual([
      ['007', 'fix-the-roof'],
      ['8', 'eight'],
      ['T-1', 'more'],
    ]);
  });

  test('passes over hidden files and other kinds, and stays with the id as name where the file has an odd one', () => {
    write('.hidden.md', '---');
    write('notes.txt', '---');
    write('1-odd name.md', 'Do.');
    expect(loadTasks(root, config).map(({ manifest }) => [manifest.id, manifest.name])).toEqual([['1', '1']]);
  });

  test('tells everything that is wrong in all files, at lines of the whole file', () => {
    write('1-a.md', '---\nid: 003\ndependson: ["2"]\n---\nText.');
    write('2-b.md', '---\n# only a comment\ndepends_on: ["1", "33", "5"]\nlocks: { writes: [databse] }\n---\n');
    write('3-c.md', '---\nid: "3"\ndepends_on: ["4"]\n---\nText.');
    write('4-d.md', '---\r\nid: "4"\r\ndepends_on:\r\n  - "3"\r\nfiles: { writes: ["src/**.ts"] }\r\n---\r\nText.');
    write('44.md', '---\nid: "44"\nname: open');
    write('5.md', '---\nid: "../5"\nname: "a b"\n---\nText.');
    write('6 6.md', 'Text.');
    write('7.md', '---\nname: [\n---\nText.');
    write('8.md', Buffer.from([0xff]));
    expect(messageOf()).toBe(`10 problems in the task files:
  .signalbox/tasks/1-a.md:2:5  id must be a text, not 3; put it in quotes
  .signalbox/tasks/1-a.md:3:1  unknown key "dependson"; did you mean "depends_on"?
  .signalbox/tasks/2-b.md:6:1  has no text that says what to do
  .signalbox/tasks/4-d.md:5:19  files.writes[0]: glob "src/**.ts": "**" must stand alone between slashes, as in "src/**/*.ts"; elsewhere write "*"
  .signalbox/tasks/44.md:1:1  the front matter has no closing "---" line
  .signalbox/tasks/5.md:2:5  id: task id "../5" may hold only letters, digits, ".", "_" and "-", and must start and end with a letter or digit
  .signalbox/tasks/5.md:3:7  name: task name "a b" may hold only letters, digits, ".", "_" and "-", and must start and end with a letter or digit
  .signalbox/tasks/6 6.md:1:1  task id "6 6" may hold only letters, digits, ".", "_" and "-", and must start and end with a letter or digit (taken from the file's name)
  .signalbox/tasks/7.md:3:1  Flow sequence in block collection must be sufficiently indented and end with a ]
  .signalbox/tasks/8.md:1:1  is not UTF-8 text`);
  });

  test('tells what is wrong between files', () => {
    write('1.md', '---\ndepends_on:\n  - "2"\n---\nText.');
    write('2.md', '---\ndepends_on: ["1", "33"]\nlocks: { writes: [databse] }\n---\nText.');
    write('3.md', '---\nid: "1"\n---\nText.');
    expect(messageOf()).toBe(`4 problems in the task files:
  .signalbox/tasks/2.md:2:14  the dependencies go in a circle: 1 → 2 → 1
  .signalbox/tasks/2.md:2:19  depends on "33", which is no task
  .signalbox/tasks/2.md:3:19  locks "databse", which is no resource of the configuration; did you mean "database"?
  .signalbox/tasks/3.md:2:5  id "1" is already taken by .signalbox/tasks/1.md`);
  });

  test('refuses links out of the directory, and what is no file, without waiting for it', () => {
    writeFileSync(path.join(root, 'secret'), 'secret');
    write('1.md', 'Text.');
    symlinkSync('1.md', path.join(root, tasksPath, '2.md'));
    symlinkSync(path.join(root, 'secret'), path.join(root, tasksPath, '3.md'));
    symlinkSync('nowhere', path.join(root, tasksPath, '4.md'));
    mkdirSync(path.join(root, tasksPath, '5.md'));
    execFileSync('mkfifo', [path.join(root, tasksPath, '6.md')]);
    expect(messageOf()).toMatch(
      new RegExp(
        [
          '^4 problems in the task files:',
          '  .signalbox/tasks/3.md:1:1  is a symbolic link out of the task directory',
          '  .signalbox/tasks/4.md:1:1  cannot be read: ENOENT.*',
          '  .signalbox/tasks/5.md:1:1  is not a regular file',
          '  .signalbox/tasks/6.md:1:1  is not a regular file$',
        ].join('\n'),
      ),
    );
  });

  test('says when there are none, and when the directory leads out of the project', () => {
    expect(messageOf()).toBe('there are no task files in .signalbox/tasks');
    rmSync(path.join(root, tasksPath), { recursive: true });
    expect(messageOf()).toBe('there are no task files: .signalbox/tasks does not exist');
    symlinkSync(tmpdir(), path.join(root, tasksPath));
    expect(messageOf()).toBe('tasks.path .signalbox/tasks leads out of the project');
  });
});

describe('splitFrontMatter', () => {
  test.each([
    ['Body.', { yaml: '', linesBefore: 0, body: 'Body.', bodyLine: 1 }],
    ['---\na: 1\n---\nBody.\n', { yaml: 'a: 1\n', linesBefore: 1, body: 'Body.', bodyLine: 4 }],
    ['---\r\na: 1\r\n---\r\nBody.\r\n', { yaml: 'a: 1\r\n', linesBefore: 1, body: 'Body.', bodyLine: 4 }],
    ['---  \n---', { yaml: '', linesBefore: 1, body: '', bodyLine: 3 }],
    ['---\na: |\n  ---\n---\nBody.', { yaml: 'a: |\n  ---\n', linesBefore: 1, body: 'Body.', bodyLine: 5 }],
    ['----\nBody.', { yaml: '', linesBefore: 0, body: '----\nBody.', bodyLine: 1 }],
    ['---\na: 1', null],
    ['', { yaml: '', linesBefore: 0, body: '', bodyLine: 1 }],
  ])('of %j', (text, expected) => {
    expect(splitFrontMatter(text)).toEqual(expected);
  });
});

describe('loadMoreTasks', () => {
  const more = (...files: string[]) =>
    loadMoreTasks(
      files.map((file) => path.resolve(root, file)),
      root,
      loadTasks(root, config),
      config,
    );

  beforeEach(() => write('1-first.md', 'Do it.\n'));

  test('reads files in the catalogue and elsewhere, which may depend on known tasks and on each other', () => {
    const outside = mkdtempSync(path.join(tmpdir(), 'signalbox-more-'));
    try {
      writeFileSync(path.join(outside, '3-third.md'), '---\ndepends_on: ["1", "2"]\n---\nThen this.\n');
      writeFileSync(path.join(root, '2-second.md'), 'Do it too.\n');
      const tasks = more(path.join(outside, '3-third.md'), '2-second.md');
      expect(tasks.map(({ manifest: { id, name }, file }) => [id, name, file])).toEqual([
        ['3', 'third', path.join(outside, '3-third.md')],
        ['2', 'second', '2-second.md'],
      ]);
    } finally {
      rmSync(outside, { recursive: true });
    }
  });

  test('tells everything that is wrong in the new files and between all, with places', () => {
    const file = (name: string, text: string): string => {
      writeFileSync(path.join(root, name), text);
      return name;
    };
    const names = [
      file('2-a.md', '---\nid: "1"\n---\nAgain.\n'),
      file('3-b.md', '---\ndepends_on: ["9"]\nlocks: { writes: [databse] }\n---\nDo it.\n'),
      file('4-c.md', '---\ndepends_on: ["5"]\n---\nDo it.\n'),
      file('5-d.md', '---\ndepends_on: ["4"]\n---\nDo it.\n'),
      file('6-e.md', '---\ncolour: red\n---\n'),
      'nowhere.md',
    ];
    const said = (() => {
      try {
        return String(more(...names).length);
      } catch (error) {
        return error instanceof SignalboxError ? `${error.code}: ${error.message}` : String(error);
      }
    })();
    for (const expected of [
      /task_files: 7 problems/,
      /2-a\.md:2:5 .*"1" is already taken by \.signalbox\/tasks\/1-first\.md/,
      /3-b\.md:2:14 .*"9", which is no task/,
      /3-b\.md:3:\d+ .*"databse".*database/,
      /circle: 4 → 5 → 4/,
      /6-e\.md:2:1 .*colour/,
      /nowhere\.md:1:1 .*cannot be read/,
    ])
      expect(said).toMatch(expected);
  });
});
