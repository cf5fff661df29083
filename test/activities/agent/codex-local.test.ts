import { describe } from '@jest/globals';

import { testCodex } from '../../support/codex-contract.ts';

describe('the real Codex on the host', () => {
  testCodex('local');
});
