import { describe } from '@jest/globals';

import { connectEngine, probeEngine } from '../../../activities/sandbox/engine.ts';
import { testCodex } from '../../support/codex-contract.ts';

const { available } = await probeEngine(connectEngine(process.env));

(available ? describe : describe.skip)('the real Codex in a container', () => {
  testCodex('docker');
});
