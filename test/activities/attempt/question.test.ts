import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { takeQuestion } from '../../../activities/attempt/question.ts';
import { BareRepository } from '../../../activities/git/bare-repository.ts';
import type { Sandbox } from '../../../activities/sandbox/sandbox.ts';
import { createStepBench, type StepBench } from '../../support/sandbox-steps.ts';
import { describeWithDocker } from '../../support/docker.ts';
import { Redactor } from '../../../activities/redaction/redactor.ts';
import { sandboxOf } from '../../support/sandboxes.ts';

let root: string;
let tree: string;
let bare: BareRepository;
let base: string;

beforeEach(async () => {
  root = realpathSync(mkdtempSync(path.join(tmpdir(), 'signalbox-question-')));
  bare = await BareRepository.open(path.join(root, 'bare.git'));
  base = commitOf({ 'a.txt': 'a' });
  tree = path.join(root, '1', 'tree');
  mkdirSync(tree, { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function commitOf(files: Record<string, string>): string {
  const user = mkdtempSync(path.join(root, 'user-'));
  const git = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=U', '-c', 'user.email=u@example.com', ...args], {
      cwd: user,
      encoding: 'utf8',
    }).trim();
  git('init', '-q');
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(user, name)), { recursive: true });
    writeFileSync(path.join(user, name), text);
  }
  git('add', '.');
  git('commit', '-qm', 'base');
  const commit = git('rev-parse', 'HEAD');
  execFileSync('git', ['fetch', '-q', user, 'HEAD'], { cwd: bare.gitDir });
  return commit;
}

/** Does in the work tree what an agent does. */
function agent(script: string): void {
  execFileSync('sh', ['-ec', script], { cwd: tree });
}
const take = (step = 'turn-1'): Promise<string | null> =>
  takeQuestion({ bare, directory: path.dirname(tree), base, step, redactor: new Redactor() });
const left = (): string[] => (existsSync(`${tree}/.signalbox`) ? readdirSync(`${tree}/.signalbox`) : []);

describe('a question', () => {
  test('is taken out of the work tree, and given again for the same step only', async () => {
    agent('mkdir .signalbox; echo "Which database?" > .signalbox/question.md; echo x > .signalbox/other');
    expect(await take()).toBe('Which database?');
    expect(left()).toEqual(['other']);
    expect(await take()).toBe('Which database?');
    expect(await take('turn-2')).toBeNull();
  });

  test('that was noted by a call that died before it took the file is not taken for another', async () => {
    agent('mkdir .signalbox; echo one > .signalbox/question.md');
    await take();
    agent('echo one > .signalbox/question.md');
    expect(await take()).toBe('one');
    expect(left()).toEqual([]);
  });

  test('is nothing where there is none, or it is empty', async () => {
    expect(await take()).toBeNull();
    agent('mkdir .signalbox; printf " \\n\\t" > .signalbox/question.md');
    expect(await take()).toBeNull();
    expect(left()).toEqual([]);
  });

  test('loses what a terminal would act on, and is cut where it is long', async () => {
    agent(`mkdir .signalbox; printf 'a\\033[2J\\007b\\r\\nc' > .signalbox/question.md`);
    expect(await take('turn-1')).toBe('a[2Jb\nc');
    agent(`head -c 3000000 /dev/zero | tr '\\0' x > .signalbox/question.md`);
    const long = await take('turn-2');
    expect(long).toMatch(/^x{8192}\n… \(cut after 8192 bytes\)$/);
  });

  test('of the repository itself, in its base, is a file like others', async () => {
    base = commitOf({ '.signalbox/question.md': 'Frequently asked' });
    agent('mkdir .signalbox; echo "Frequently asked" > .signalbox/question.md');
    expect(await take()).toBeNull();
    expect(left()).toEqual(['question.md']);
  });
});

describe('in the place of a question, nothing is followed and nothing is kept:', () => {
  test.each([
    ['a link to a file of the host', 'ln -s "$OUT/secret" .signalbox/question.md'],
    ['a link that leads nowhere', 'ln -s nowhere .signalbox/question.md'],
    ['a FIFO', 'mkfifo .signalbox/question.md'],
    [
      'a directory',
      'mkdir -p .signalbox/question.md/deep; echo x > .signalbox/question.md/deep/x; chmod 0 .signalbox/question.md/deep',
    ],
  ])('%s', async (_, script) => {
    writeFileSync(path.join(root, 'secret'), 'of the host');
    agent(`OUT=${root}; mkdir .signalbox; ${script}`);
    expect(await take()).toBeNull();
    expect(left()).toEqual([]);
    expect(existsSync(path.join(root, 'secret'))).toBe(true);
  });

  test('a link in the place of its directory', async () => {
    mkdirSync(path.join(root, 'outside'));
    writeFileSync(path.join(root, 'outside', 'question.md'), 'of the host');
    agent(`ln -s ${root}/outside .signalbox`);
    expect(await take()).toBeNull();
    expect(existsSync(path.join(root, 'outside', 'question.md'))).toBe(true);
  });

  test('a work tree that is none any more', async () => {
    rmSync(tree, { recursive: true });
    expect(await take()).toBeNull();
    mkdirSync(path.join(root, 'outside', '.signalbox'), { recursive: true });
    writeFileSync(path.join(root, 'outside', '.signalbox', 'question.md'), 'of the host');
    execFileSync('ln', ['-s', path.join(root, 'outside'), tree]);
    expect(await take()).toBeNull();
  });
});

describe('modes that keep others out do not keep us out', () => {
  const ask = 'mkdir .signalbox; echo ask > .signalbox/question.md; chmod 0 .signalbox/question.md .signalbox .';

  test('as we are', async () => {
    agent(ask);
    expect(await take()).toBe('ask');
    expect(left()).toEqual([]);
  });

  // Root ignores modes: what other users have to mend shows only as one of them.
  (process.getuid?.() === 0 ? test : test.skip)('as a user without power', async () => {
    agent(ask);
    execFileSync('chown', ['-R', '12345:12345', root]);
    process.seteuid?.(12345);
    try {
      expect(await take()).toBe('ask');
      expect(left()).toEqual([]);
    } finally {
      process.seteuid?.(0);
    }
  });
});

describeWithDocker('in a work tree of a container’s user', () => {
  let bench: StepBench;
  let sandbox: Sandbox;
  beforeEach(async () => {
    bench = createStepBench();
    sandbox = await sandboxOf('docker', bench.home);
  });
  afterEach(() => bench.remove());

  test('the question is read and removed, whatever modes the agent gave', async () => {
    const ask = 'mkdir .signalbox && echo ask > .signalbox/question.md && chmod 0 .signalbox/question.md .signalbox .';
    const step = bench.step(ask, { workTree: tree });
    expect(await sandbox.run(step)).toMatchObject({ exitCode: 0 });
    expect(await take()).toBe('ask');
    expect(left()).toEqual([]);
  });
});
