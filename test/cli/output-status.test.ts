import { Writable } from 'node:stream';
import { expect, test } from '@jest/globals';
import { Output } from '../../cli/framework/output.ts';

function outputTo(isTerminal: boolean): { output: Output; text: () => string } {
  let text = '';
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  const screen = { stream, isTerminal };
  return { output: new Output({ json: false, stdout: screen, stderr: screen, env: {} }), text: () => text };
}

test('a status line is taken away by whatever is said next, and takes the place of the one before', () => {
  const { output, text } = outputTo(true);
  expect(output.status('1 of 2\nlayers')).toBe(true);
  output.status('2 of 2 layers');
  output.progress('pulled');
  output.outcome({ result: {}, text: 'done' });
  expect(text()).toBe('1 of 2 layers\r\u001b[2K2 of 2 layers\r\u001b[2Kpulled\ndone\n');
});

test('an empty status takes the line away, and a long one is cut to the width of the terminal', () => {
  const { output, text } = outputTo(true);
  output.status('x'.repeat(500));
  output.status('');
  output.progress('next');
  expect(text()).toBe(`${'x'.repeat(78)}…\r\u001b[2Knext\n`);
});

test('where no person looks, no status is shown', () => {
  const { output, text } = outputTo(false);
  expect([output.status('1 of 2 layers'), text()]).toEqual([false, '']);
});
