import { describe, expect, test } from '@jest/globals';
import { conflictEvidence, type ConflictedFile } from '../../core/merge-conflict.ts';
import { mergeMessage } from '../../core/merge-message.ts';
import { otherWorkOf, otherWorkWords } from '../../core/other-work.ts';

const file = (path: string): ConflictedFile => ({ path, kind: 'content', description: `${path}: both changed it.` });
const about = { what: 'it conflicts with what was merged since', attempt: 2, commit: 'c0ffee' };

describe('the evidence of a conflict', () => {
  test('names the paths in its sentence, and tells each before the hunks', () => {
    const conflict = { kind: 'conflict' as const, files: [file('a'), file('b')], hunks: 'diff --git a b\n' };
    expect(conflictEvidence(conflict, about)).toEqual({
      kind: 'conflict',
      summary: 'it conflicts with what was merged since: a, b',
      detail: 'a: both changed it.\nb: both changed it.\n\ndiff --git a b',
      attempt: 2,
      commit: 'c0ffee',
      tried: '',
      changes: '',
    });
  });

  test('stays short, whatever the number of paths and the length of the hunks', () => {
    const files = Array.from({ length: 10_000 }, (_, i) => file(`f${i}`));
    const { summary, detail } = conflictEvidence({ kind: 'conflict', files, hunks: 'x'.repeat(100_000) }, about);
    expect(summary).toBe('it conflicts with what was merged since: f0, f1, f2, f3, f4 and 9995 more');
    expect(detail.length).toBeLessThan(16_100);
    expect(detail).toMatch(/\n… and \d+ more\n\nx+\n… cut …$/);
  });
});

describe('whose change it is', () => {
  const note = { project: 'p', run: 'r', task: '003', attempt: 1, digest: 'ab'.repeat(32) };

  test('is told by what the message of the merge says of the task', () => {
    const message = mergeMessage({ ...note, name: 'add: login', description: 'Lets people\nlog in.' });
    const other = otherWorkOf('c0ffee', message);
    expect(other).toEqual({ by: 'task', id: '003', name: 'add: login', description: 'Lets people log in.' });
    const bare = otherWorkOf('c0ffee', mergeMessage({ ...note, name: 'login', description: undefined }));
    expect(otherWorkWords([other, bare, other])).toBe(
      'It meets the change of task 003 add: login (Lets people log in.); task 003 login.',
    );
  });

  test('is bounded', () => {
    const commits = Array.from({ length: 50 }, (_, i) => otherWorkOf(`${i + 10}`.padEnd(40, 'f'), 'x'.repeat(5000)));
    expect(otherWorkWords(commits).length).toBeLessThan(2000);
    expect(otherWorkWords(commits)).toMatch(/; 46 more\.$/);
    expect(otherWorkWords([])).toBe('');
  });
});
