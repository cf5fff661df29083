import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import type { AgentTurnRequest, AgentTurnResult } from '../../../activities/agent/agent.ts';
import { createAgents } from '../../../activities/agent/agents.ts';
import { mockScript } from '../../../activities/agent/mock-agent.ts';
import { homeOf, type Home } from '../../../activities/home.ts';
import { gatewaySecret, stepOfToken } from '../../../activities/models/gateway-secret.ts';
import { LocalSandbox } from '../../../activities/sandbox/local-sandbox.ts';

const OWNER = { project: 'demo', run: 'r1', task: '001', attempt: 1 };
let root: string;
let home: Home;

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'signalbox-agents-'));
  home = homeOf({ SIGNALBOX_HOME: path.join(root, 'home') });
  for (const name of ['tree', 'objects']) mkdirSync(path.join(root, name));
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

async function turn(provider: 'command' | 'mock', more: Partial<AgentTurnRequest>): Promise<AgentTurnResult> {
  const sandbox = new LocalSandbox({ home, gatewayUrl: 'http://127.0.0.1:9', env: process.env });
  return createAgents({ home })[provider].runTurn({
    step: { name: 'demo..r1..001..1..turn-1', owner: OWNER, execution: 'e' },
    sandbox,
    workTree: path.join(root, 'tree'),
    agentHome: path.join(root, 'agent-home'),
    gitObjects: path.join(root, 'objects'),
    prompt: 'Do it.',
    threadId: null,
    env: { SIGNALBOX_TASK_ID: '001', SIGNALBOX_ATTEMPT: '2' },
    timeoutMs: 30_000,
    network: 'gateway',
    ...more,
  });
}

function file(name: string): string {
  return readFileSync(path.join(root, 'tree', name), 'utf8');
}

describe('a command agent', () => {
  test('gets the prompt on its input and is done when it leaves with 0', async () => {
    const result = await turn('command', { command: 'cat > prompt.txt; env > env.txt' });
    expect(result).toMatchObject({
      outcome: 'finished',
      reason: null,
      threadId: null,
      events: 0,
      usage: { input_tokens: 0 },
    });
    expect(file('prompt.txt')).toBe('Do it.');
    expect(file('env.txt')).toContain('OPENAI_BASE_URL=http://127.0.0.1:9/v1\n');
    const token = /^OPENAI_API_KEY=(.*)$/m.exec(file('env.txt'))?.[1] ?? '';
    expect(stepOfToken(gatewaySecret(home), token)).toBe('demo..r1..001..1..turn-1');
  });

  test('fails with its exit code and what it said last', async () => {
    const result = await turn('command', { command: 'echo no credit >&2; exit 3' });
    expect(result).toMatchObject({ outcome: 'failed', reason: 'the agent ended with exit code 3: no credit' });
  });

  test('has its Codex events counted, every turn that it ran', async () => {
    const usage = { input_tokens: 30, cached_input_tokens: 10, output_tokens: 5 };
    const line = JSON.stringify({ type: 'turn.completed', usage });
    const result = await turn('command', { command: `echo '${line}'; echo '${line}'` });
    expect(result.usage).toEqual({ input_tokens: 60, cached_input_tokens: 20, output_tokens: 10, cost_usd: 0 });
  });

  test('is stopped when its time is over', async () => {
    const result = await turn('command', { command: 'sleep 60', timeoutMs: 1000 });
    expect(result).toMatchObject({ outcome: 'timed_out', reason: 'the agent was not done after 1 s' });
  });

  test('cannot be run without a command', async () => {
    await expect(turn('command', {})).rejects.toMatchObject({ code: 'config' });
  });
});

describe('the mock agent', () => {
  test('runs the script in its prompt', async () => {
    const prompt = 'Do it.\n\n```mock\necho "attempt $SIGNALBOX_ATTEMPT" > a.txt\n```\n\n```mock\nfalse\n```\n';
    expect(await turn('mock', { prompt })).toMatchObject({ outcome: 'finished' });
    expect(file('a.txt')).toBe('attempt 2\n');
  });

  test('leaves a file when its prompt has no script', async () => {
    await turn('mock', {});
    expect(execFileSync('ls', [path.join(root, 'tree')], { encoding: 'utf8' })).toBe('mock-001.md\n');
  });

  test('takes no script out of another kind of block', () => {
    expect(mockScript('```sh\nrm -rf .\n```\n')).toBeNull();
    expect(mockScript('````mock\necho "```"\n````\n')).toBe('echo "```"\n');
  });
});
