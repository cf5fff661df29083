import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** The example's folder in this repository. */
export const branchlineSource = join(root, 'examples/branchline');

/** The example's scripts for the scripted model. */
export const branchlineScripts = join(branchlineSource, 'model');

/** The environment of a command in the example: its node is the one that runs the tests; git knows no user settings. */
export const exampleEnvironment: NodeJS.ProcessEnv = {
  PATH: `${dirname(process.execPath)}:${process.env.PATH ?? ''}`,
  HOME: tmpdir(),
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'Test',
  GIT_AUTHOR_EMAIL: 'test@branchline.example',
  GIT_COMMITTER_NAME: 'Test',
  GIT_COMMITTER_EMAIL: 'test@branchline.example',
};

/** A fresh copy of the example repository in a temporary directory. */
export function createBranchline(): { dir: string; git: (...args: string[]) => string; remove: () => void } {
  const parent = mkdtempSync(join(tmpdir(), 'signalbox-branchline-'));
  const dir = join(parent, 'branchline');
  execFileSync(join(branchlineSource, 'create.sh'), [dir], { env: exampleEnvironment });
  return {
    dir,
    git: (...args) => execFileSync('git', args, { cwd: dir, env: exampleEnvironment, encoding: 'utf8' }).trim(),
    remove: () => rmSync(parent, { recursive: true, force: true }),
  };
}

/** Runs a shell command in the example; both streams in one text, as a check's evidence has them. */
export function runIn(dir: string, command: string): { code: number | null; output: string } {
  const { status, stdout } = spawnSync('sh', ['-c', `exec 2>&1\n${command}`], {
    cwd: dir,
    env: exampleEnvironment,
    encoding: 'utf8',
  });
  return { code: status, output: stdout };
}
