import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import picocolors from 'picocolors';
import { transcriptLine } from '../../cli/views/codex-events.ts';
import { table } from '../../cli/views/table.ts';
import { displayLines, displayPage, displayText, span } from '../../cli/views/text.ts';
import { cut } from '../../workers/runs/start-workflow.ts';

const plain = picocolors.createColors(false);
const item = (fields: object): string => JSON.stringify({ type: 'item.completed', item: { id: '1', ...fields } });

describe('text from elsewhere', () => {
  test('loses what could rewrite the screen, and keeps colours in one line', () => {
    expect(displayText('a\u001b[2Jb\u0007\nc\u001b[31mred\u001b[39m')).toBe('a[2Jb c\u001b[31mred\u001b[39m');
    expect(displayLines('a\u001b]0;title\u0007\nb\u001b[1mold')).toBe('a]0;title\nbold');
    expect(displayText('x'.repeat(20), 5)).toBe('xxxx…');
  });

  test.each([
    ['conceals', '\u001b[8mhidden', '[8mhidden'],
    ['conceals, among others', '\u001b[1;8mhidden', '[1;8mhidden'],
    ['gives a background the colour of the text', '\u001b[41;31mred on red', '[41;31mred on red'],
    ['writes in black', '\u001b[30mblack', '[30mblack'],
    ['chooses any colour', '\u001b[38;5;0mblack', '[38;5;0mblack'],
    ['has an argument of another kind', '\u001b[>4;1m', '[>4;1m'],
    ['opens a link', '\u001b]8;;http://example.org\u0007click\u001b]8;;\u0007', ']8;;http://example.org' + 'click]8;;'],
    ['moves the cursor by one character', 'a\u009b1A\u0084b', 'a1Ab'],
    ['goes back over what is there', 'evil\b\b\b\bgood', 'evilgood'],
    ['is hidden behind another', '\u001b\u001b[8m\u001b\u0000[8mx', '[8m[8mx'],
    ['turns the order of letters', 'a\u202egpj.exe\u2069', 'a<U+202E>gpj.exe<U+2069>'],
  ])('of agents that %s is shown for what it is, in lines and in pages', (_, text, shown) => {
    expect(displayText(text)).toBe(shown);
    expect(displayPage(text)).toBe(shown);
    // eslint-disable-next-line no-control-regex -- none of them may be there
    expect(displayLines(text)).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
  });

  test('keeps what git prints of a diff in colours', () => {
    const diff =
      '\u001b[1mdiff\u001b[m\n\u001b[36m@@ -1 +1 @@\u001b[m\n\u001b[31m-a\u001b[m\n\u001b[32m+\u001b[m\u001b[32m\tb\u001b[m\n';
    expect(displayPage(diff)).toBe(diff);
  });

  test('is cut by bytes without half a character', () => {
    expect(cut('grün', 10)).toBe('grün');
    for (let bytes = 3; bytes < 9; bytes += 1) {
      const text = cut('üüüüü', bytes);
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(bytes);
      expect(text).toMatch(/^ü*…$/);
    }
  });
});

describe('a table', () => {
  test('has a line for each row, and no column in which nothing is', () => {
    const columns = [{ head: 'TASK' }, { head: 'REASON' }, { head: 'TURNS', align: 'right' as const }];
    expect(
      table(columns, [
        ['one', '', '1'],
        ['two', '', '10'],
      ]),
    ).toBe('TASK  TURNS\none       1\ntwo      10');
    expect(
      table(columns, [
        ['one', 'why\nnot', '1'],
        ['two', '', '10'],
      ]),
    ).toBe('TASK  REASON   TURNS\none   why not      1\ntwo               10');
  });

  test('is cut where there is no room, the last columns first, and no more than they allow', () => {
    const columns = [{ head: 'ID' }, { head: 'NAME', cut: 6 }, { head: 'N' }, { head: 'WHY', cut: 8 }];
    const rows = [
      ['1', 'a long name', '\u001b[31m10\u001b[39m', 'a reason that is long'],
      ['2', 'short', '2', ''],
    ];
    const lines = (width: number) => stripVTControlCharacters(table(columns, rows, width)).split('\n');
    expect(lines(42)[1]).toBe('1   a long name  10  a reason that is long');
    expect(lines(31)[1]).toBe('1   a long name  10  a reason …');
    expect(lines(26)[1]).toBe('1   a long …  10  a reaso…');
    expect(lines(5)).toEqual(['ID  NAME    N   WHY', '1   a lon…  10  a reaso…', '2   short   2']);
  });
});

describe('an agent’s transcript', () => {
  test.each([
    [item({ type: 'agent_message', text: 'Done.' }), 'Done.'],
    [
      item({ type: 'command_execution', command: 'npm test', aggregated_output: 'ok\n', exit_code: 0 }),
      '$ npm test\nok',
    ],
    [
      item({ type: 'command_execution', command: 'false', aggregated_output: '', exit_code: 1 }),
      '$ false\nexit code 1',
    ],
    [item({ type: 'file_change', changes: [{ path: 'a.js', kind: 'add' }], status: 'completed' }), 'add a.js'],
    [item({ type: 'something_new' }), null],
    [JSON.stringify({ type: 'turn.failed', error: { message: 'no luck' } }), 'turn failed: no luck'],
    [JSON.stringify({ type: 'thread.started', thread_id: 'x' }), null],
    ['{"a": 1}', '{"a": 1}'],
    ['{broken', '{broken'],
    ['plain text', 'plain text'],
  ])('shows %s as %j', (line, shown) => {
    expect(transcriptLine(line, plain)).toBe(shown);
  });

  test('shows only the beginning of a long output', () => {
    const output = Array.from({ length: 100 }, (_, index) => `line ${index}`).join('\n');
    const shown = transcriptLine(
      item({ type: 'command_execution', command: 'x', aggregated_output: output, exit_code: 0 }),
      plain,
    );
    expect(shown?.split('\n')).toHaveLength(42);
    expect(shown).toMatch(/… 60 more lines$/);
  });
});

test.each([
  [0, '0.0s'],
  [1234, '1.2s'],
  [59_400, '59s'],
  [61_000, '1m1s'],
  [3_660_000, '1h1m'],
  [3 * 86_400_000, '3d0h'],
])('a span of %d ms is %s', (milliseconds, text) => {
  expect(span(milliseconds)).toBe(text);
});
