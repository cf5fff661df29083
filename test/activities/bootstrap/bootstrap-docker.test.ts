import { beforeAll, expect, test } from '@jest/globals';
import { connectEngine } from '../../../activities/sandbox/engine.ts';
import { ensureImage } from '../../../activities/sandbox/image.ts';
import { testBootstrap } from '../../support/bootstrap-contract.ts';
import { describeWithDocker } from '../../support/docker.ts';
import { sandboxOf } from '../../support/sandboxes.ts';

describeWithDocker('dependencies of steps in containers', () => {
  beforeAll(async () => {
    await ensureImage({ engine: connectEngine(process.env) });
  }, 600_000);

  testBootstrap((home) => sandboxOf('docker', home));
});
