import { describe, expect, test } from '@jest/globals';
import { defaultPayloadConverter } from '@temporalio/common';
import type { TaskReport } from '../../../core/task-report.ts';
import { NO_USAGE } from '../../../core/usage.ts';
import { attemptOutcomes } from '../../../workers/runs/attempt-outcomes.ts';

/** The event that a task's history has when it sends its run a report. */
function sent(report: Partial<TaskReport>, signalName = 'report') {
  const whole = {
    ...{ task: 'a', attempt: 1, seq: 1, state: 'retrying', reason: null, failure: null, turns: 1 },
    ...{ usage: NO_USAGE, branch: null, commit: null, mergedCommit: null, ...report },
  };
  return {
    eventTime: { seconds: whole.seq },
    signalExternalWorkflowExecutionInitiatedEventAttributes: {
      signalName,
      input: { payloads: [defaultPayloadConverter.toPayload(whole)] },
    },
  } as never;
}

const told = (...histories: never[][]) => attemptOutcomes(histories).map(({ attempt, outcome }) => [attempt, outcome]);

describe('how attempts ended', () => {
  test('is what the task reported of each, over all its executions in whatever order', () => {
    const first = [
      sent({ attempt: 1, seq: 1, state: 'waiting' }),
      sent({ attempt: 1, seq: 2, failure: 'conflict', reason: 'a.txt', commit: 'c1' }),
      sent({ attempt: 2, seq: 3, state: 'failed', failure: 'failed_check' }),
    ];
    const second = [sent({ attempt: 3, seq: 4, state: 'needs_locks' }), sent({ attempt: 3, seq: 5, state: 'merged' })];
    expect(told(second, first)).toEqual([
      [1, 'conflict'],
      [2, 'failed_check'],
      [3, 'merged'],
    ]);
    expect(attemptOutcomes([first])[0]).toEqual({
      ...{ attempt: 1, outcome: 'conflict', reason: 'a.txt', commit: 'c1', ended_at: '1970-01-01T00:00:02.000Z' },
    });
  });

  test('stays what it was when the task is cancelled before its next attempt, or its first', () => {
    const failed = sent({ attempt: 1, seq: 1, failure: 'lost' });
    expect(told([failed, sent({ attempt: 1, seq: 2, state: 'cancelled' })])).toEqual([[1, 'lost']]);
    expect(told([sent({ attempt: 0, seq: 1, state: 'cancelled' })])).toEqual([]);
  });

  test('is told by no other signal, and by nothing that is no report', () => {
    expect(told([sent({}, 'submit'), sent({ task: undefined as never }), { eventTime: null } as never])).toEqual([]);
  });
});
