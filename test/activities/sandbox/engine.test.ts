import { expect, test } from '@jest/globals';
import Docker from 'dockerode';
import { createSandbox } from '../../../activities/sandbox/create-sandbox.ts';
import { probeEngine } from '../../../activities/sandbox/engine.ts';
import { createStepBench } from '../../support/sandbox-steps.ts';

const nowhere = new Docker({ socketPath: '/nonexistent/docker.sock' });

test('an engine that is not there is reported with a reason and a hint', async () => {
  expect(await probeEngine(nowhere)).toEqual({
    available: false,
    reason: 'no Docker engine answers (ENOENT)',
    hint: 'start Docker, or use --backend local',
    passing: true,
  });
});

test('without an engine the default backend falls back to the host and says so; Docker by name is waited for', async () => {
  const bench = createStepBench();
  const notices: string[] = [];
  const options = { home: bench.home, env: process.env, gatewayUrl: 'http://127.0.0.1:9', engine: nowhere };
  const sandbox = await createSandbox({ ...options, onNotice: (line) => notices.push(line) });
  expect([sandbox.backend, notices]).toEqual(['local', [expect.stringContaining('no Docker engine answers')]]);
  await expect(createSandbox({ ...options, backend: 'docker' })).rejects.toMatchObject({
    code: 'environment',
    retryable: true,
  });
  bench.remove();
});
