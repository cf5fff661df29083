import { execFileSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { scriptOf, shellWords } from '../../cli/views/shell-words.ts';

const single = (text: string): string => `'${text.replaceAll("'", `'"'"'`)}'`;
const double = (text: string): string => `"${text.replace(/[$`"\\]/g, '\\$&')}"`;
const escaped = (text: string): string => text.replace(/[^A-Za-z0-9]/g, '\\$&');

describe('the words of a command line', () => {
  test('are those that were quoted, in whatever way', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '$', '`', "'", '"', '\\'), minLength: 1 });
    const word = fc.tuple(text, fc.constantFrom(single, double, escaped));
    fc.assert(
      fc.property(fc.array(word), (words) => {
        const line = words.map(([plain, quote]) => quote(plain)).join(' ');
        expect(shellWords(line)).toEqual(words.map(([plain]) => plain));
      }),
    );
  });

  test('are what a shell makes of them', () => {
    const line = `a'b c'"d\\"e \\\\ \\n"\\ f '' "x'y" '\\'`;
    const shell = execFileSync('sh', ['-c', `printf '%s\\n' ${line}`], { encoding: 'utf8' });
    expect(shellWords(line)).toEqual(shell.trimEnd().split('\n'));
  });

  test('are none where a quote stays open', () => {
    for (const line of [`a 'b`, `a "b`, 'a \\']) expect(shellWords(line)).toBeNull();
  });
});

test.each([
  [`/bin/bash -lc 'node --test\n'`, 'node --test\n'],
  [`bash -c "echo \\"\\$HOME\\""`, 'echo "$HOME"'],
  [`sh -c 'it'"'"'s'`, `it's`],
  [`bash -lc 'one' two`, `bash -lc 'one' two`],
  [`bash -x 'one'`, `bash -x 'one'`],
  [`node -c 'one'`, `node -c 'one'`],
  [`bash -lc 'open`, `bash -lc 'open`],
])('of %j a person sees %j', (command, shown) => {
  expect(scriptOf(command)).toBe(shown);
});
