import { expect, test } from '@jest/globals';
import { lockText } from '../../cli/views/lock-view.ts';

const party = { project: 'p', run_id: 'r1', since: null };

test('locks are shown with their clashes, and what was taken back with the reason', () => {
  const text = lockText({
    source: 'histories',
    holders: [{ ...party, task_id: 'a', writes: ['1', '2', '3', '4', '5', '6', '7', '8'], reads: ['src/**'] }],
    waiters: [
      { ...party, task_id: 'b', waits_for: 'a', clash: { own: 'src/x', other: 'src/**' } },
      { ...party, task_id: 'c', waits_for: 'a free place on the repository', clash: null },
    ],
    taken_back: [
      {
        project: 'p',
        run_id: 'r0',
        task_ids: ['d', 'e'],
        reason: 'the run was terminated',
        at: '2026-11-21T10:00:00Z',
      },
    ],
  });
  expect(text.split('\n').filter((line) => !line.startsWith('d e'))).toEqual([
    'HOLDS  RUN  WRITES                  READS',
    'a      r1   1 2 3 4 5 6 and 2 more  src/**',
    '',
    'WAITS  RUN  FOR                             CLASH',
    'b      r1   a                               src/x meets src/**',
    'c      r1   a free place on the repository',
    '',
    'TAKEN BACK  RUN  AT                   WHY',
    '',
    'No worker runs: this is what the open runs know, without times.',
  ]);
  expect(text).toMatch(/\nd e +r0 +2026-11-2\d \d\d:00:00 +the run was terminated\n/);
});

test('nothing is locked where nobody holds, waits or was lost', () => {
  expect(lockText({ source: 'table', holders: [], waiters: [], taken_back: [] })).toBe('nothing is locked');
});
