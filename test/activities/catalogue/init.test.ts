import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { guessDoctor } from '../../../activities/catalogue/guess.ts';
import { initProject } from '../../../activities/catalogue/init.ts';
import { loadProject } from '../../../activities/catalogue/project.ts';
import { loadTasks } from '../../../activities/catalogue/task-files.ts';
import { claimsOf } from '../../../core/catalogue.ts';

const FILES = ['.signalbox/config.yaml', '.signalbox/tasks/001-example.md', '.signalbox/.gitignore'];
let root = '';

beforeEach(() => {
  root = realpathSync(mkdtempSync(path.join(tmpdir(), 'signalbox-init-')));
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

const git = (...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=T', '-c', 'user.email=t@example.org', ...args], {
    cwd: root,
    encoding: 'utf8',
  });
const write = (name: string, text: string): void => writeFileSync(path.join(root, name), text);
const read = (name: string): string => readFileSync(path.join(root, name), 'utf8');

describe('initProject', () => {
  test('writes a configuration and a task that load, for the branch and the checks that are there', async () => {
    git('init', '-q', '-b', 'trunk/x');
    write('package.json', JSON.stringify({ scripts: { test: 'node --test' } }));
    mkdirSync(path.join(root, 'src'));
    const result = await initProject(path.join(root, 'src'));
    expect(result).toMatchObject({
      root,
      written: FILES,
      kept: [],
      integrationBranch: 'trunk/x',
      doctor: { command: 'npm test', because: 'the test script of package.json' },
    });
    const { config } = loadProject(root);
    expect(config).toMatchObject({
      project: result.project,
      repository: { integration_branch: 'trunk/x' },
      checks: { doctor: ['npm test'] },
    });
    const tasks = loadTasks(root, config);
    expect(tasks.map((task) => claimsOf(task, config))).toEqual([{ reads: [], writes: ['SIGNALBOX_EXAMPLE.md'] }]);
  });

  test('leaves the doctor to the user where nothing tells one', async () => {
    git('init', '-q', '-b', 'main');
    expect((await initProject(root)).doctor).toBeNull();
    expect(read(FILES[0] ?? '')).toContain('#   doctor: make test\n');
    expect(loadProject(root).config.checks.doctor).toEqual([]);
  });

  test('keeps what exists, and replaces it when forced', async () => {
    git('init', '-q', '-b', 'main');
    mkdirSync(path.join(root, '.signalbox'));
    write('.signalbox/config.yaml', 'mine');
    expect(await initProject(root)).toMatchObject({ written: FILES.slice(1), kept: FILES.slice(0, 1) });
    expect(read('.signalbox/config.yaml')).toBe('mine');
    expect(await initProject(root, { force: true })).toMatchObject({ written: FILES, kept: [] });
    expect(read('.signalbox/config.yaml')).toContain('version: 1');
  });

  test('with a detached HEAD names the usual branch that exists', async () => {
    git('init', '-q', '-b', 'master');
    git('commit', '-q', '--allow-empty', '-m', 'one');
    git('checkout', '-q', '--detach');
    expect(await initProject(root)).toMatchObject({ integrationBranch: 'master' });
  });

  test('refuses a directory without a repository, and one that cannot hold the files', async () => {
    await expect(initProject(root)).rejects.toMatchObject({ code: 'environment' });
    git('init', '-q');
    write('.signalbox', 'a file');
    await expect(initProject(root)).rejects.toThrow('.signalbox/config.yaml cannot be written: ');
  });
});

describe('guessDoctor', () => {
  test.each([
    [{ 'package.json': '{"scripts":{"test":"jest"}}', 'pnpm-lock.yaml': '' }, 'pnpm test'],
    [{ 'package.json': '{"scripts":{"test":"jest"}}', 'yarn.lock': '' }, 'yarn test'],
    [{ 'package.json': '{"scripts":{"test":"echo \\"Error: no test specified\\" && exit 1"}}' }, undefined],
    [{ 'package.json': '{broken', Makefile: 'CHECK := 1\nall: x\n\ncheck: all\n' }, 'make check'],
    [{ Makefile: 'test := 1\n', 'go.mod': 'module x' }, 'go test ./...'],
    [{ 'pyproject.toml': '' }, 'python -m pytest'],
    [{ 'Cargo.toml': '' }, 'cargo test'],
    [{}, undefined],
  ])('of %j is %s', (files, command) => {
    for (const [name, text] of Object.entries(files)) write(name, text);
    expect(guessDoctor(root)?.command).toBe(command);
  });
});
