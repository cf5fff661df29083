import { describe } from '@jest/globals';
import { testSandboxContract } from '../../support/sandbox-contract.ts';
import { sandboxOf } from '../../support/sandboxes.ts';

describe('local sandbox', () => {
  testSandboxContract((home) => sandboxOf('local', home));
});
