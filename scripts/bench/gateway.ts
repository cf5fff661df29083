import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { homeOf } from '../../activities/home.ts';
import { grantBudget } from '../../activities/models/budget.ts';
import { stepToken } from '../../activities/models/gateway-secret.ts';
import { stepName } from '../../core/ids.ts';
import { ensureGateway, stopGateway } from '../../workers/gateway-process.ts';

/** Streams at once. */
const STREAMS = 50;
/** Bytes of a request's body: a prompt with some history. */
const PROMPT = 64 * 1024;

/** Seconds to the first byte of each stream, sorted. */
export interface FirstBytes {
  direct: number[];
  through: number[];
}

/**
 * Measures how long the first byte takes, directly and through a real gateway with budgets to keep, with 50 streams at
 * once that begin at different times. Both in turns, so that whatever else the machine does hits both.
 *
 * @param root for a home of its own
 */
export async function measureFirstBytes(root: string, rounds: number): Promise<FirstBytes> {
  const home = homeOf({ SIGNALBOX_HOME: path.join(root, 'gateway-home') });
  const server = fork(path.join(import.meta.dirname, 'stream-server.ts'), { execArgv: [] });
  try {
    const [port] = (await once(server, 'message')) as [number];
    const upstream = `http://127.0.0.1:${port}/v1`;
    const gateway = await ensureGateway({
      home,
      env: { PATH: process.env['PATH'], OPENAI_BASE_URL: upstream, OPENAI_API_KEY: 'none' },
    });
    const steps = Array.from({ length: STREAMS }, (_, task) =>
      stepName({ project: 'bench', run: 'r', task: String(task), attempt: 1 }, 'turn-1'),
    );
    const bound = { tokensPerTask: 1e9, costPerRun: 1e6, allowance: 1, spentTokens: 0, model: 'gpt-5.5', prices: {} };
    for (const step of steps) grantBudget(home, step, bound);
    const tokens = steps.map((step) => stepToken(home, step));
    const agent = new Agent({ keepAlive: true });
    const found: FirstBytes = { direct: [], through: [] };
    // The first round of each is for connections and compilers.
    for (let round = 0; round <= rounds; round += 1) {
      for (const [name, base] of [['direct', upstream] as const, ['through', `${gateway.url}/v1`] as const]) {
        const times = await Promise.all(tokens.map((token, index) => stream(agent, base, token, index)));
        if (round > 0) found[name].push(...times.flat());
      }
    }
    agent.destroy();
    found.direct.sort((a, b) => a - b);
    found.through.sort((a, b) => a - b);
    return found;
  } finally {
    server.kill();
    await stopGateway(home);
  }
}

/** Three streams one after the other. @returns seconds to the first byte of each */
async function stream(agent: Agent, base: string, token: string, index: number): Promise<number[]> {
  const times: number[] = [];
  const body = JSON.stringify({ model: 'm', stream: true, input: 'x'.repeat(PROMPT) });
  await sleep(index * 11);
  for (let turn = 0; turn < 3; turn += 1) {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const started = performance.now();
    const asked = request(`${base}/responses`, { method: 'POST', headers, agent });
    asked.end(body);
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    response.once('data', () => times.push((performance.now() - started) / 1000));
    await once(response, 'end');
  }
  return times;
}
