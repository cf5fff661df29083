import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { LocalStep } from '../../../activities/sandbox/local-step.ts';
import { StepDirectory } from '../../../activities/sandbox/step-directory.ts';
import { projectWorld, type ProjectWorld } from '../../support/project-world.ts';
import type { SnapshotBuilderInput } from '../../support/snapshot-builder.ts';
import { until } from '../../support/until.ts';

let world: ProjectWorld;
let counter: string;
let go: string;

beforeEach(async () => {
  world = await projectWorld({ a: 'true' });
  world.write('lock.txt', 'locked\n');
  world.git('add', '.');
  world.git('commit', '-qm', 'lock');
  counter = path.join(world.home.root, 'counter');
  go = path.join(world.home.root, 'go');
});
afterEach(() => world.remove());

interface Builder {
  child: ChildProcess;
  /** What it printed, when it has ended. */
  ended: Promise<{ key: string; told: string; code: number | null }>;
}

/** Starts a process that asks for the snapshot, whose command counts its runs and waits for a file. */
async function builder(holder: string): Promise<Builder> {
  const { repository } = world.run;
  const bare = await world.host.bare(repository);
  const commit = await bare.importBranch(await world.host.user(repository), 'main');
  const input: SnapshotBuilderInput = {
    home: world.home.root,
    gitDir: bare.gitDir,
    repository: repository.id,
    commit,
    command: `echo run >> ${counter}; while ! test -e ${go}; do sleep 0.05; done; mkdir deps; cp lock.txt deps`,
    holder: path.join(world.home.root, holder),
  };
  const script = path.join(import.meta.dirname, '../../support/snapshot-builder.ts');
  const child = spawn(process.execPath, [script, JSON.stringify(input)], { stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { key: '', told: '' };
  child.stdout.on('data', (chunk: Buffer) => (said.key += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said.told += chunk.toString()));
  const ended = once(child, 'close').then(() => ({ ...said, code: child.exitCode }));
  return { child, ended };
}

function runs(): number {
  return existsSync(counter) ? readFileSync(counter, 'utf8').trim().split('\n').length : 0;
}

/** What lies with the snapshots of the repository. */
function names(): string[] {
  return readdirSync(path.join(world.home.snapshots, world.run.repository.id)).sort();
}

describe('a dependency snapshot', () => {
  test('that several processes ask for at once is made once', async () => {
    const builders = await Promise.all(['one', 'two', 'three'].map(builder));
    await until(() => runs() > 0);
    writeFileSync(go, '');
    const ends = await Promise.all(builders.map(({ ended }) => ended));
    expect(ends.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(new Set(ends.map(({ key }) => key)).size).toBe(1);
    expect(runs()).toBe(1);
    expect(names()).toEqual([ends[0]?.key]);
    expect(readdirSync(world.home.steps)).toEqual([]);
  });

  test('whose maker is killed while its command runs is finished by the next one, which attaches to the command', async () => {
    const first = await builder('one');
    await until(() => runs() > 0);
    first.child.kill('SIGKILL');
    await first.ended;
    const second = await builder('two');
    writeFileSync(go, '');
    const { key, code } = await second.ended;
    expect({ code, runs: runs(), names: names() }).toEqual({ code: 0, runs: 1, names: [key] });
  });

  test('whose maker and command are killed is made anew, and nothing is left of what was half made', async () => {
    const first = await builder('one');
    await until(() => runs() > 0);
    first.child.kill('SIGKILL');
    await first.ended;
    const [step = ''] = readdirSync(world.home.steps);
    process.kill(-(new LocalStep(new StepDirectory(world.home.steps, step)).supervisor()?.pid ?? 0), 'SIGKILL');
    writeFileSync(go, '');
    const { key, code } = await (await builder('two')).ended;
    expect({ code, runs: runs(), names: names() }).toEqual({ code: 0, runs: 2, names: [key] });
    expect(readdirSync(world.home.steps)).toEqual([]);
  });
});
