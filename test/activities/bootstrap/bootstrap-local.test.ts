import { describe, expect, test } from '@jest/globals';
import type { Home } from '../../../activities/home.ts';
import type { Sandbox } from '../../../activities/sandbox/sandbox.ts';
import { testBootstrap } from '../../support/bootstrap-contract.ts';
import { createStepBench } from '../../support/sandbox-steps.ts';
import { sandboxOf } from '../../support/sandboxes.ts';

const local = (home: Home): Promise<Sandbox> => sandboxOf('local', home);

const bench = createStepBench();
const layering = await (await local(bench.home)).canLayer();
bench.remove();

describe('dependencies of steps on the host, copied', () => {
  testBootstrap(async (home) => Object.assign(await local(home), { canLayer: () => Promise.resolve(false) }));
});

(layering ? describe : describe.skip)('dependencies of steps on the host, in layers that only they see', () => {
  testBootstrap(local);

  test('a step whose layer cannot be mounted does not run without it', async () => {
    const bench = createStepBench();
    const sandbox = await local(bench.home);
    const layer = {
      source: `${bench.workTree}/missing`,
      target: `${bench.workTree}/missing`,
      changes: `${bench.home.root}/c`,
    };
    const running = sandbox.run(bench.step('touch ran', { layers: [layer] }));
    await expect(running).rejects.toMatchObject({ code: 'environment' });
    bench.remove();
  });
});
