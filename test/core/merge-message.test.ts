import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isSameMerge, mergeMessage, parseMergeMessage, type MergeFacts } from '../../core/merge-message.ts';

const digest = 'ab'.repeat(32);
const note = { project: 'demo', run: 'r1', task: '001', attempt: 2, digest };
const message = (more: Partial<MergeFacts> = {}): string =>
  mergeMessage({ ...note, name: 'login', description: undefined, ...more });

/** What somebody could write to have another task taken for this one. */
const FORGED = mergeMessage({ ...note, task: '999', name: 'x', description: undefined });
const SCISSORS = '# ------------------------ >8 ------------------------';

describe('the message of a merge', () => {
  test('has the description and, as git’s trailers, what the task was', () => {
    expect(message({ description: 'Let people\nlog in.' })).toBe(
      'Merge task 001: login\n\nLet people log in.\n\nSignalbox-Project: demo\nSignalbox-Run: r1\nSignalbox-Task: 001\n' +
        `Signalbox-Attempt: 2\nSignalbox-Task-Digest: sha256:${digest}\n`,
    );
  });

  test('is read as it was written, whatever the task says of itself', () => {
    const nasty = fc.constantFrom('\n', '\n\n', '\r\n', '---', '\u2028', '#', SCISSORS, FORGED, ' ', 'x');
    const texts = fc.oneof(
      fc.string(),
      fc.array(nasty).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(texts, texts, fc.constantFrom('merge', 'squash'), (name, description, style) => {
        const validators = [{ name: 'tests', verdict: description }];
        const text = message({ name, description, style, validators, coAuthor: name });
        expect(parseMergeMessage(text)).toEqual(note);
      }),
    );
  });

  test('says which checks it passed and on what, who judged it, and who helped', () => {
    const text = message({
      style: 'squash',
      checks: [
        { name: 'doctor', digest: '0123456789abcdef' },
        { name: 'integration', digest: 'fedcba9876543210' },
      ],
      validators: [
        { name: 'tests', verdict: 'passed\n\nSignalbox-Task: 999' },
        { name: 'style', verdict: 'passed' },
      ],
      coAuthor: 'Codex <noreply@openai.com>',
    });
    expect(text).toBe(
      'Task 001: login\n\nSignalbox-Project: demo\nSignalbox-Run: r1\nSignalbox-Task: 001\nSignalbox-Attempt: 2\n' +
        `Signalbox-Task-Digest: sha256:${digest}\n` +
        "Signalbox-Check: doctor sha256:0123456789abcdef on the task's own result\n" +
        'Signalbox-Check: integration sha256:fedcba9876543210 on the tree that landed\n' +
        'Signalbox-Validator: tests passed Signalbox-Task: 999\nSignalbox-Validator: style passed\n' +
        'Co-authored-by: Codex <noreply@openai.com>\n',
    );
    expect(parseMergeMessage(text)).toEqual(note);
  });

  test('is that of the same merge for the same attempt at the same task only', () => {
    expect(isSameMerge(note, { ...note })).toBe(true);
    for (const other of [{ attempt: 3 }, { run: 'r2' }, { project: 'x' }, { task: '002' }, { digest: 'cd'.repeat(32) }])
      expect(isSameMerge(note, { ...note, ...other })).toBe(false);
  });

  test('may have got lines below its trailers', () => {
    expect(parseMergeMessage(`${message()}Signed-off-by: Ada <ada@example.org>\n`)).toEqual(note);
  });

  test.each([
    ['trailers above the last paragraph', `${message()}\nAnd more.\n`],
    ['trailers below a line of scissors only', `Merge task 001: x\n\n${SCISSORS}\n${message().split('\n\n')[1] ?? ''}`],
    ['another subject', message().replace('Merge task', 'Squash task')],
    ['the subject of another task', message().replace('Merge task 001', 'Merge task 002')],
    ['no digest', message().replace(/Signalbox-Task-Digest.*\n/, '')],
    ['a short digest', message().replace('abab', '')],
    ['a task that is no identifier', message().replaceAll('001', '../001')],
    ['only trailers', message().split('\n\n')[1] ?? ''],
    ['nothing', ''],
  ])('is none with %s', (_, text) => {
    expect(parseMergeMessage(text)).toBeNull();
  });
});
