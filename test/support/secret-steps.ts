import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Home } from '../../activities/home.ts';
import type { Sandbox, StepResult } from '../../activities/sandbox/sandbox.ts';
import { createStepBench, until, type StepBench } from './sandbox-steps.ts';

const SECRET = `tok-'"\\$1 /+%ä&0123456789abcdef`;
const KEY = '-----BEGIN KEY-----\nQUJDREVGR0hJSktMTU5P\nYWJjZGVmZ2hpamts+/==\n-----END KEY-----\n';

const out = (result: StepResult): string => readFileSync(result.stdoutPath, 'utf8');

/** The files below a directory that hold a text; those that go meanwhile do not matter. */
export function filesWith(text: string, directory: string): string[] {
  const { stdout } = spawnSync('grep', ['-rlsF', '-e', text, directory], { encoding: 'utf8' });
  return stdout.split('\n').filter((line) => line !== '');
}

/** What every backend promises about a step's secrets, tried with real processes. */
export function testSecrets(createSandbox: (home: Home) => Promise<Sandbox>): void {
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

  test('a check finds its secrets whole in its environment, and its own other variables', async () => {
    const command = `node -e '
      const { SIGNALBOX_INPUT_A: a, SIGNALBOX_INPUT_B: b, PLAIN: p } = process.env;
      console.log(a.length, b.length, p, Object.keys(process.env).filter((name) => /REDACT|sb_/.test(name)).length);'`;
    const secrets = { SIGNALBOX_INPUT_A: SECRET, SIGNALBOX_INPUT_B: KEY };
    const result = await sandbox.run(bench.step(command, { secrets, env: { PLAIN: 'p' } }));
    expect([result.exitCode, out(result)]).toEqual([0, `${SECRET.length} ${KEY.length} p 0\n`]);
  });

  test('neither while it runs nor afterwards is a secret in a file below the home', async () => {
    const spec = bench.step(
      'echo "$SIGNALBOX_INPUT_A"; echo "$SIGNALBOX_INPUT_A" >&2; : >up; while [ ! -e go ]; do sleep 0.02; done',
      {
        secrets: { SIGNALBOX_INPUT_A: SECRET },
      },
    );
    const running = sandbox.run(spec);
    const holders = (): string[] => filesWith('0123456789abcdef', bench.home.root);
    await until(() => existsSync(`${bench.workTree}/up`));
    expect(holders()).toEqual([]);
    await sandbox.run(bench.step(': >go'));
    const result = await running;
    expect(holders()).toEqual([]);
    expect([out(result), readFileSync(result.stderrPath, 'utf8')]).toEqual(['***\n', '***\n']);
  });

  test('its output hides secrets in pieces, in the middle of lines, as JSON, in URLs and as base64', async () => {
    const command = `node -e '
      const s = process.env.SIGNALBOX_INPUT_A, k = process.env.SIGNALBOX_INPUT_B;
      const say = (text) => process.stdout.write(text + "\\n");
      say("<" + s + ">" + s);
      say(JSON.stringify({ s }));
      say("https://example.com/?q=" + encodeURIComponent(s) + "&r=" + new URLSearchParams({ s }));
      for (const before of ["", "u", "us"]) say(Buffer.from(before + s + "tail").toString("base64"));
      say(Buffer.from("x:" + s).toString("base64url"));
      say(k);
      let at = 0;
      const drip = () => at < s.length ? (process.stdout.write(s[at++]), setTimeout(drip, 1)) : say("|end");
      drip();'`;
    const result = await sandbox.run(
      bench.step(command, { secrets: { SIGNALBOX_INPUT_A: SECRET, SIGNALBOX_INPUT_B: KEY } }),
    );
    const text = out(result);
    expect(result.exitCode).toBe(0);
    expect(text.split('\n').slice(0, 3)).toEqual(['<***>***', '{"s":"***"}', 'https://example.com/?q=***&r=s=***']);
    expect(text).toMatch(/\n\*\*\*\|end\n$/);
    const middle = SECRET.slice(4, -4);
    const shown = [
      middle,
      encodeURIComponent(middle),
      'QUJDREVGR0hJ',
      'YWJjZGVmZ2hp',
      'MDEyMzQ1',
      'AxMjM0NTY3',
      'wMTIzNDU2',
    ];
    for (const piece of shown) expect(text).not.toContain(piece);
  });

  test('output without secrets passes unchanged, and its bound still holds', async () => {
    const secrets = { SIGNALBOX_INPUT_A: SECRET };
    const plain = await sandbox.run(bench.step(`printf 'péché\\n\\n\\tlast\\n***\\n'`, { secrets }));
    expect(out(plain)).toBe('péché\n\n\tlast\n***\n');
    const long = await sandbox.run(bench.step('yes a | head -c 100000', { secrets, outputLimit: 4096 }));
    expect(long).toMatchObject({ exitCode: 0, stdoutTruncated: true });
    expect(out(long)).toBe('a\n'.repeat(2048));
  });

  test('a secret that holds nothing to hide arrives, too', async () => {
    const secrets = { SIGNALBOX_INPUT_A: '', SIGNALBOX_INPUT_B: '\n' };
    const result = await sandbox.run(bench.step('echo "${#SIGNALBOX_INPUT_A} ${#SIGNALBOX_INPUT_B}"', { secrets }));
    expect(out(result)).toBe('0 1\n');
  });

  test('a step that is ended in the middle of its output ends, and shows nothing', async () => {
    const spec = bench.step(': >begun; while :; do echo "$SIGNALBOX_INPUT_A"; done', {
      secrets: { SIGNALBOX_INPUT_A: SECRET },
    });
    const running = sandbox.run(spec);
    await until(() => existsSync(`${bench.workTree}/begun`));
    await sandbox.end(spec.name);
    expect(await running).toMatchObject({ ended: true });
    expect(filesWith('0123456789abcdef', bench.home.root)).toEqual([]);
  });

  test('an agent’s step is refused any secret', async () => {
    const spec = bench.step('env', { kind: 'agent', secrets: { SIGNALBOX_INPUT_A: SECRET } });
    await expect(sandbox.run(spec)).rejects.toThrow(/must not get secrets/);
  });
}
