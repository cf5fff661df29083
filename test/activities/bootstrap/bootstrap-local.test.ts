import { describe } from '@jest/globals';
import { testBootstrap } from '../../support/bootstrap-contract.ts';
import { sandboxOf } from '../../support/sandboxes.ts';

describe('dependencies of steps on the host', () => {
  testBootstrap((home) => sandboxOf('local', home));
});
