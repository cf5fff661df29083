import { fork } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Home } from '../../activities/home.ts';
import { processesOfStep } from '../../activities/sandbox/processes.ts';
import type { Sandbox, StepResult, StepSpec } from '../../activities/sandbox/sandbox.ts';
import { createStepBench, until } from './sandbox-steps.ts';
import type { StepBench } from './sandbox-steps.ts';

const text = (file: string): string => readFileSync(file, 'utf8');
const out = (result: StepResult): string => text(result.stdoutPath);

/** What every backend promises, tried with real processes. */
export function testSandboxContract(createSandbox: (home: Home) => Promise<Sandbox>): void {
  let bench: StepBench;
  let sandbox: Sandbox;

  beforeAll(async () => {
    bench = createStepBench();
    sandbox = await createSandbox(bench.home);
  });
  afterAll(async () => {
    for (const { name } of await sandbox.list()) await sandbox.end(name);
    bench.remove();
  });

  /** Where a command of the tests leaves marks that the host sees. */
  const mark = (name: string): string => path.join(bench.workTree, name);
  const marked = (name: string): Promise<void> => until(() => existsSync(mark(name)));

  test('a command line that succeeds ends with 0 and both streams recorded', async () => {
    const result = await sandbox.run(bench.step('echo out; echo err >&2'));
    expect(result).toMatchObject({
      exitCode: 0,
      signal: null,
      timedOut: false,
      ended: false,
      lost: false,
      attached: false,
    });
    expect([out(result), text(result.stderrPath)]).toEqual(['out\n', 'err\n']);
    expect(Date.parse(result.endedAt)).toBeGreaterThanOrEqual(Date.parse(result.startedAt));
  });

  test('an argument vector is not read by a shell, and its exit code comes back', async () => {
    const result = await sandbox.run(bench.step(['sh', '-c', 'printf "%s|" "$@"; exit 7', 'sh', '$HOME', 'a b', '']));
    expect([result.exitCode, out(result)]).toEqual([7, '$HOME|a b||']);
  });

  test('a command that kills itself is reported with its signal', async () => {
    expect(await sandbox.run(bench.step('kill -TERM $$'))).toMatchObject({ exitCode: null, signal: 'SIGTERM' });
  });

  test('the standard input is the given text, and empty when there is none', async () => {
    const given = await sandbox.run(bench.step('cat', { stdin: 'péché\nlast' }));
    const none = await sandbox.run(bench.step('cat; echo end'));
    expect([out(given), out(none)]).toEqual(['péché\nlast', 'end\n']);
  });

  test('a step sees its own variables, the work tree as directory, and nothing of the host environment', async () => {
    process.env['SIGNALBOX_TEST_SECRET'] = 'host';
    const spec = bench.step('pwd; env', { env: { MINE: 'a "b"\n$c' } });
    const lines = out(await sandbox.run(spec)).split('\n');
    delete process.env['SIGNALBOX_TEST_SECRET'];
    expect(lines[0]).toBe(bench.workTree);
    expect(lines).toEqual(expect.arrayContaining(['MINE=a "b"', '$c', `SIGNALBOX_STEP=${spec.name}`]));
    const names = lines.slice(1).flatMap((line) => /^([A-Za-z_]+)=/.exec(line)?.[1] ?? []);
    const allowed = ['PATH', 'HOME', 'LANG', 'TERM', 'TZ', 'PWD', 'OLDPWD', 'SHLVL', '_', 'MINE', 'SIGNALBOX_STEP'];
    expect(names.filter((name) => !allowed.includes(name))).toEqual([]);
  });

  test('a step may write to its home, which is not the worker’s', async () => {
    const result = await sandbox.run(
      bench.step('echo "$HOME"; touch "$HOME/file" /tmp/$SIGNALBOX_STEP && rm /tmp/$SIGNALBOX_STEP'),
    );
    expect(result.exitCode).toBe(0);
    expect(out(result).trim()).not.toBe(process.env['HOME']);
  });

  test('a step that is too long is ended, with all that it started', async () => {
    const spec = bench.step('sleep 300 & setsid sleep 300 & sleep 300', { timeoutMs: 400 });
    const result = await sandbox.run(spec);
    expect(result).toMatchObject({ timedOut: true, ended: false });
    expect(processesOfStep(spec.name)).toEqual([]);
  });

  test('a command that exits with 124 by itself has not timed out', async () => {
    expect(await sandbox.run(bench.step('exit 124'))).toMatchObject({ exitCode: 124, timedOut: false });
  });

  test('what a finished command left running, in whatever session, is dead when the step is over', async () => {
    const spec = bench.step('sleep 300 & setsid sleep 300 & setsid sleep 300 >/dev/null 2>&1 & echo done');
    const result = await sandbox.run(spec);
    expect([result.exitCode, out(result)]).toEqual([0, 'done\n']);
    expect(processesOfStep(spec.name)).toEqual([]);
  });

  test('ending a step kills its grandchildren, and says that it was ended', async () => {
    const spec = bench.step('setsid sh -c "touch grandchild; exec sleep 300" & sleep 300');
    const running = sandbox.run(spec);
    await marked('grandchild');
    // A container's process may work before the engine says that it runs.
    await until(async () => (await sandbox.list()).length > 0);
    expect(await sandbox.list()).toEqual([{ name: spec.name, owner: spec.owner, execution: spec.execution }]);
    await sandbox.end(spec.name);
    expect(processesOfStep(spec.name)).toEqual([]);
    expect(await running).toMatchObject({ ended: true, exitCode: null, timedOut: false, lost: false });
    expect(await sandbox.list()).toEqual([]);
    await sandbox.end(spec.name);
    expect(await sandbox.run(spec)).toMatchObject({ ended: true, attached: true });
  });

  test('ending a step that never was does nothing', async () => {
    await sandbox.end(bench.step('true').name);
  });

  test('ending a step or closing an attempt of T-1 leaves T-10 alone', async () => {
    const one = bench.step('touch one; sleep 300', { id: 'same', task: 'T-1' });
    const ten = bench.step('touch ten; sleep 300', { id: 'same', task: 'T-10' });
    const other = bench.step('touch other; sleep 300', { id: 'same-2', task: 'T-1' });
    const runs = [one, ten, other].map((spec) => sandbox.run(spec));
    await Promise.all([marked('one'), marked('ten'), marked('other')]);
    await until(async () => (await sandbox.list()).length === 3);
    await sandbox.end(one.name);
    expect((await sandbox.list()).map(({ name }) => name).sort()).toEqual([ten.name, other.name].sort());
    await sandbox.closeAttempt(one.owner);
    expect((await sandbox.list()).map(({ name }) => name)).toEqual([ten.name]);
    await sandbox.closeAttempt(ten.owner);
    expect((await Promise.all(runs)).map(({ ended }) => ended)).toEqual([true, true, true]);
  });

  test('running a step again, at once or later, attaches to it and reads all its output', async () => {
    const spec = bench.step('echo once >> count; echo first; until [ -e go ]; do sleep 0.02; done; echo last');
    const chunks = ['', '', ''];
    const read = (reader: number) => ({
      onStdout: (chunk: Buffer) => (chunks[reader] = `${chunks[reader] ?? ''}${chunk.toString()}`),
    });
    const first = sandbox.run(spec, read(0));
    const second = sandbox.run(spec, read(1));
    await until(() => chunks[0] === 'first\n' && chunks[1] === 'first\n');
    appendFileSync(mark('go'), '');
    const results = [await first, await second, await sandbox.run(spec, read(2))];
    expect(results.map(({ attached }) => attached).filter((attached) => !attached)).toHaveLength(1);
    expect(results.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
    expect(chunks).toEqual(Array(3).fill('first\nlast\n'));
    expect(text(mark('count'))).toBe('once\n');
  });

  test('a reader that is aborted leaves the step running', async () => {
    const spec = bench.step('touch reading; until [ -e read ]; do sleep 0.02; done; echo whole');
    const reader = new AbortController();
    const reading = sandbox.run(spec, { signal: reader.signal });
    await marked('reading');
    reader.abort(new Error('detached'));
    await expect(reading).rejects.toThrow('detached');
    appendFileSync(mark('read'), '');
    const result = await sandbox.run(spec);
    expect([result.exitCode, out(result), result.attached]).toEqual([0, 'whole\n', true]);
  });

  test('a step outlives the killed process that started it, and the next one reads its output once', async () => {
    const spec = bench.step('echo once >> killed; echo first; until [ -e resume ]; do sleep 0.02; done; echo last');
    const child = await runInChild(bench, sandbox, spec);
    await until(() => existsSync(mark('killed')));
    child.kill('SIGKILL');
    await once(child, 'exit');
    let seen = '';
    const running = sandbox.run(spec, { onStdout: (chunk) => (seen += chunk.toString()) });
    await until(() => seen === 'first\n');
    appendFileSync(mark('resume'), '');
    const result = await running;
    expect(result).toMatchObject({ exitCode: 0, attached: true, lost: false });
    expect([seen, out(result), text(mark('killed'))]).toEqual(['first\nlast\n', 'first\nlast\n', 'once\n']);
  });

  test('output over the limit is cut where it is written, and the command goes on', async () => {
    const spec = bench.step('head -c 3000000 /dev/zero | tr "\\0" x; echo done >> flooded', { outputLimit: 5000 });
    let read = 0;
    const result = await sandbox.run(spec, { onStdout: (chunk) => (read += chunk.length) });
    expect(result).toMatchObject({ exitCode: 0, stdoutTruncated: true, stderrTruncated: false });
    expect([statSync(result.stdoutPath).size, read, text(mark('flooded'))]).toEqual([5000, 5000, 'done\n']);
  });

  test('output of exactly the limit is whole', async () => {
    const result = await sandbox.run(bench.step('head -c 5000 /dev/zero', { outputLimit: 5000 }));
    expect([result.stdoutTruncated, statSync(result.stdoutPath).size]).toEqual([false, 5000]);
  });

  test('a step of another execution, or with another command, is refused and left alone', async () => {
    const spec = bench.step('echo once >> refused');
    await sandbox.run(spec);
    await expect(sandbox.run({ ...spec, execution: 'execution-2' })).rejects.toMatchObject({ code: 'refused' });
    await expect(sandbox.run({ ...spec, command: 'echo twice >> refused' })).rejects.toMatchObject({ code: 'refused' });
    expect(text(mark('refused'))).toBe('once\n');
  });

  test('names and variables that could do harm are refused before anything is written', async () => {
    const spec = bench.step('true');
    await expect(sandbox.run({ ...spec, name: '../../out' })).rejects.toMatchObject({ code: 'usage' });
    await expect(sandbox.run({ ...spec, env: { 'A=B;C': '1' } })).rejects.toMatchObject({ code: 'usage' });
    await expect(sandbox.run({ ...spec, command: [] })).rejects.toMatchObject({ code: 'usage' });
    expect(existsSync(path.join(bench.home.steps, spec.name))).toBe(false);
  });
}

/** Runs a step from another Node process, and resolves as soon as that has begun. */
async function runInChild(bench: StepBench, sandbox: Sandbox, spec: StepSpec) {
  const script = path.join(import.meta.dirname, 'run-step.ts');
  const child = fork(script, { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  child.send({ backend: sandbox.backend, home: bench.home, spec });
  await once(child, 'message');
  return child;
}
