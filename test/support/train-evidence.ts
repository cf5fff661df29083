import type { CheckFailure } from '../../core/checks.ts';
import { checkEvidence, type Evidence } from '../../core/evidence.ts';

/** What a red integration check says. */
export function integrationFailure(output = ''): CheckFailure {
  const ended = { exitCode: 1, signal: null, timedOut: false, outOfMemory: false };
  return { check: 'integration', command: 'npm test', ...ended, output };
}

/** What the task of a member with a red integration check is told. */
export function integrationEvidence(): Evidence {
  return checkEvidence('failed_integration', integrationFailure(), 1, null);
}

/** What the task of a member in conflict is told. */
export function conflictEvidence(): Evidence {
  return { ...integrationEvidence(), kind: 'conflict', summary: 'a.txt is in conflict' };
}
