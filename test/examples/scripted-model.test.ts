import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type InputItem, reply } from '../../examples/scripted-model/reply.ts';
import { chooseScript, loadScripts, parseScript } from '../../examples/scripted-model/script.ts';
import { type ScriptedModel, startScriptedModel } from '../../examples/scripted-model/server.ts';
import { branchlineScripts, branchlineSource, createBranchline, exampleEnvironment, runIn } from './branchline.ts';

const first = parseScript('1-a', '#task 1\n#title Do A\n#say Look.\nls\n#say Write.\necho a >a\ncat a\n#done Did A.\n');
const retry = parseScript(
  '1-a.retry',
  '#task 1\n#title Do A\n#when test x failed\n#say Again.\nls\n#done Did A well.\n',
);
const other = parseScript('2-b', '#task 2\n#title Do B\n#say Look.\nls\n#done Did B.\n');
const scripts = [retry, first, other];

const prompt = (text: string): InputItem => ({
  type: 'message',
  role: 'user',
  content: [{ type: 'input_text', text }],
});
const output = (callId: string): InputItem => ({ type: 'function_call_output', call_id: callId, output: 'ok' });
const stepFor = (...input: InputItem[]): string | undefined =>
  reply(scripts, { instructions: '', tools: [], input })?.step;

describe('a script', () => {
  test('has a step for each #say, with all lines up to the next', () => {
    expect(first).toMatchObject({ task: '1', title: 'Do A', when: undefined, done: 'Did A.' });
    expect(first.steps).toEqual([
      { say: 'Look.', command: 'ls\n' },
      { say: 'Write.', command: 'echo a >a\ncat a\n' },
    ]);
  });

  test('without a title, an end or a command is refused', () => {
    for (const text of [
      '#task 1\n#say a\nls\n#done x',
      '#task 1\n#title t\n#say a\nls',
      '#task 1\n#title t\n#say a\n#done x',
      'ls',
    ]) {
      expect(() => parseScript('bad', text)).toThrow(SyntaxError);
    }
  });

  test('is chosen by the title that comes first, and by the evidence when that is there', () => {
    expect(chooseScript(scripts, 'Do B, and later: Do A')).toBe(other);
    expect(chooseScript(scripts, '# Do A')).toBe(first);
    expect(chooseScript(scripts, '# Do A\nthe check said: test x failed')).toBe(retry);
    expect(chooseScript(scripts, 'test x failed')).toBeUndefined();
  });
});

describe('a reply', () => {
  test('goes on after the outputs of its own calls, wherever the thread began', () => {
    expect(stepFor(prompt('Do A'))).toBe('1-a#1');
    expect(stepFor(prompt('Do A'), output('call_1-a_1'))).toBe('1-a#2');
    expect(stepFor(prompt('Do A'), output('call_1-a_1'), output('call_1-a_1'), output('foreign'))).toBe('1-a#2');
    expect(stepFor(prompt('Do A'), output('call_1-a_1'), output('call_1-a_2'))).toBe('1-a#done');
  });

  test('to a later turn of the thread starts the retry with the evidence, and ends at once without', () => {
    const turn = [prompt('Do A'), output('call_1-a_1'), output('call_1-a_2')];
    expect(stepFor(...turn, prompt('go on'))).toBe('1-a#done');
    expect(stepFor(...turn, prompt('test x failed'))).toBe('1-a.retry#1');
  });

  test('costs more the longer the thread is, and only its new part is not cached', () => {
    const usage = (...input: InputItem[]) =>
      reply(scripts, { instructions: 'i'.repeat(4000), tools: [], input })?.usage;
    const begin = usage(prompt('Do A'))!;
    const later = usage(prompt('Do A'), { type: 'function_call', call_id: 'call_1-a_1' }, output('call_1-a_1'))!;
    expect(begin.input_tokens_details.cached_tokens).toBe(0);
    expect(later.input_tokens).toBeGreaterThan(begin.input_tokens);
    expect(later.input_tokens_details.cached_tokens).toBeGreaterThan(800);
    expect(later.input_tokens_details.cached_tokens).toBeLessThanOrEqual(begin.input_tokens);
    expect(later.total_tokens).toBe(later.input_tokens + later.output_tokens);
  });
});

describe('the scripted model server', () => {
  let model: ScriptedModel;
  beforeEach(async () => {
    model = await startScriptedModel({ scripts: [...scripts, ...loadScripts(branchlineScripts)] });
  });
  afterEach(() => model.close());

  const post = (body: string) => fetch(`${model.baseUrl}/responses`, { method: 'POST', body });

  test('streams the events of a response and counts it', async () => {
    const response = await post(JSON.stringify({ input: [prompt('Do A')] }));
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const types = [...(await response.text()).matchAll(/^event: (.*)$/gm)].map((match) => match[1]);
    expect(types).toEqual([
      'response.created',
      'response.output_item.done',
      'response.output_item.done',
      'response.completed',
    ]);
    expect(await (await fetch(model.baseUrl.replace('/v1', '/stats'))).json()).toEqual(model.stats());
    expect(model.stats()).toEqual({ scripted: true, requests: 1, unknown: 0, steps: { '1-a#1': 1 } });
  });

  test('refuses what it has no script for, and what is no request', async () => {
    expect((await post(JSON.stringify({ input: 'Do something else' }))).status).toBe(400);
    expect((await post('{')).status).toBe(400);
    expect((await fetch(`${model.baseUrl}/models`)).status).toBe(404);
    expect(model.stats()).toMatchObject({ requests: 1, unknown: 1 });
  });

  test('answers the upgrade to a WebSocket with 426', async () => {
    const upgrade = request(`${model.baseUrl}/responses`, { headers: { connection: 'Upgrade', upgrade: 'websocket' } });
    upgrade.end();
    const [response] = (await once(upgrade, 'response')) as [{ statusCode: number; resume: () => void }];
    response.resume();
    expect(response.statusCode).toBe(426);
  });

  test('drives the real Codex through a task to a tree that passes', async () => {
    const copy = createBranchline();
    const home = mkdtempSync(join(tmpdir(), 'signalbox-codex-home-'));
    try {
      const spec = readFileSync(join(branchlineSource, '.signalbox/tasks/002-fare-zones.md'), 'utf8');
      const events = await codex(copy.dir, home, model.baseUrl, spec);
      expect(events.filter(({ type }) => type === 'turn.completed')).toHaveLength(1);
      expect(model.stats().steps).toEqual(
        Object.fromEntries(['1', '2', '3', '4', 'done'].map((step) => [`002-fare-zones#${step}`, 1])),
      );
      expect(runIn(copy.dir, 'node --test test/zones.test.js')).toMatchObject({ code: 0 });
    } finally {
      copy.remove();
      rmSync(home, { recursive: true, force: true });
    }
  });
});

/** Runs `codex exec` with the server as its provider and returns its events. */
async function codex(dir: string, home: string, baseUrl: string, input: string): Promise<{ type: string }[]> {
  const bin = createRequire(import.meta.url).resolve('@openai/codex/bin/codex.js');
  const settings = {
    model_provider: 'scripted',
    'model_providers.scripted.name': 'scripted',
    'model_providers.scripted.base_url': baseUrl,
    'model_providers.scripted.wire_api': 'responses',
    'model_providers.scripted.env_key': 'SCRIPTED_KEY',
    'model_providers.scripted.supports_websockets': false,
    'analytics.enabled': false,
    'features.plugins': false,
  };
  const flags = Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${JSON.stringify(value)}`]);
  const args = [
    bin,
    'exec',
    '--json',
    '--skip-git-repo-check',
    '--dangerously-bypass-approvals-and-sandbox',
    ...flags,
    '-',
  ];
  const child = spawn(process.execPath, args, {
    cwd: dir,
    env: { ...exampleEnvironment, HOME: dirname(dir), CODEX_HOME: home, SCRIPTED_KEY: 'none' },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.stdin.end(input);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  await once(child, 'close');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string });
}
