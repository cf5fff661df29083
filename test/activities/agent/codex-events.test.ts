import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { CodexTranscript } from '../../../activities/agent/codex-events.ts';

const LINES = [
  { type: 'thread.started', thread_id: 't-1' },
  { type: 'turn.started' },
  { type: 'error', message: 'Reconnecting... 1/5' },
  { type: 'something.new', payload: [1, 2, 3] },
  { type: 'item.completed', item: { id: 'i', type: 'command_execution', aggregated_output: 'ü\u2028x' } },
  { type: 'item.completed', item: { id: 'j', type: 'agent_message', text: 'fertig 🚂' } },
  {
    type: 'turn.completed',
    usage: { input_tokens: 30, cached_input_tokens: 10, output_tokens: 5, reasoning_output_tokens: 1 },
  },
];
const STREAM = Buffer.from(`Reading prompt from stdin\n${LINES.map((line) => JSON.stringify(line)).join('\n')}`);

function summary(transcript: CodexTranscript): unknown {
  const { events, threadId, total, message, error, completed } = transcript;
  return { events, threadId, total, message, error, completed };
}

describe('a transcript of Codex events', () => {
  test('comes to the same however the stream is cut', () => {
    const whole = new CodexTranscript();
    whole.push(STREAM);
    whole.end();
    expect(summary(whole)).toEqual({
      events: 7,
      threadId: 't-1',
      total: { input_tokens: 30, cached_input_tokens: 10, output_tokens: 5, cost_usd: 0 },
      message: 'fertig 🚂',
      error: 'Reconnecting... 1/5',
      completed: true,
    });
    fc.assert(
      fc.property(fc.array(fc.nat(STREAM.length)), (cuts) => {
        const transcript = new CodexTranscript();
        const ends = [...cuts, STREAM.length].sort((a, b) => a - b);
        ends.reduce((from, to) => (transcript.push(STREAM.subarray(from, to)), to), 0);
        transcript.end();
        expect(summary(transcript)).toEqual(summary(whole));
      }),
    );
  });

  test('is not completed when its last turn failed', () => {
    const transcript = new CodexTranscript();
    transcript.push(Buffer.from('{"type":"turn.failed","error":{"message":"no credit"}}\n'));
    expect(transcript).toMatchObject({ completed: false, error: 'no credit', total: null });
  });

  test('survives lines that are no events, and numbers that are none', () => {
    const transcript = new CodexTranscript();
    const usage = { input_tokens: -1, cached_input_tokens: 'many', output_tokens: 3 };
    transcript.push(Buffer.from(`{"a\n[1]\nnull\n{}\n${JSON.stringify({ type: 'turn.completed', usage })}\n`));
    expect(transcript.events).toBe(1);
    expect(transcript.total).toEqual({ input_tokens: 0, cached_input_tokens: 0, output_tokens: 3, cost_usd: 0 });
  });

  test('keeps head and tail of a message that is too long', () => {
    const transcript = new CodexTranscript(100);
    const text = `${'a'.repeat(500)}${'z'.repeat(500)}`;
    transcript.push(
      Buffer.from(`${JSON.stringify({ type: 'item.completed', item: { type: 'agent_message', text } })}\n`),
    );
    expect(transcript.message.length).toBeLessThan(200);
    expect(transcript.message).toMatch(/^a+\n.*\nz+$/);
  });
});
