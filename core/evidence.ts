import { checkFailureSentence, type CheckFailure } from './checks.ts';
import type { AttemptFailure } from './task-report.ts';

/** Why earlier work was not accepted: it goes into the next prompt of the agent, and into reports. */
export interface Evidence {
  kind: AttemptFailure;
  /** One sentence. */
  summary: string;
  /** What the agent should see of it: the failing output, or the conflicting hunks; bounded. */
  detail: string;
  /** The attempt it is about, and the commit that holds its work, if it left any. */
  attempt: number;
  commit: string | null;
  /** What the agent itself said it had done, bounded; empty where nobody knows. */
  tried: string;
  /** What the work changed, as `git diff --stat` tells it, bounded; empty where nothing was changed. */
  changes: string;
}

/** The evidence of a failed check. */
export function checkEvidence(
  kind: 'failed_check' | 'failed_integration',
  failure: CheckFailure,
  attempt: number,
  commit: string | null,
): Evidence {
  return {
    kind,
    summary: checkFailureSentence(failure),
    detail: failure.output,
    attempt,
    commit,
    tried: '',
    changes: '',
  };
}
