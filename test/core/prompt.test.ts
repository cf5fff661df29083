import { describe, expect, test } from '@jest/globals';
import { renderPrompt, type PromptFacts } from '../../core/prompt.ts';
import { manifestSchema } from '../../core/task-file.ts';

const manifest = manifestSchema.parse({ files: { writes: ['src/**'] } });
const facts: PromptFacts = {
  task: {
    manifest: { ...manifest, id: '003', name: 'add-login' },
    body: '\nWrite the login.\n',
    file: '003.md',
    digest: 'd',
  },
  attempt: 2,
  turn: 1,
  resumed: false,
  evidence: [],
  checks: ['npm test'],
};

describe('the prompt of a turn', () => {
  test('names the task, its scope, its checks and its specification', () => {
    const prompt = renderPrompt(facts);
    for (const part of [
      'Task 003: add-login — attempt 2',
      'You may change: src/**',
      '    npm test',
      'Write the login.',
    ]) {
      expect(prompt).toContain(part);
    }
  });

  test('tells what earlier attempts came to, with the output and the commit that holds the work', () => {
    const evidence = [
      { kind: 'failed_check', summary: 'doctor failed', detail: 'not ok 1 ``` x', attempt: 1, commit: 'abc', tried: '', changes: '' },
    ] as const;
    const prompt = renderPrompt({ ...facts, evidence: [...evidence] });
    expect(prompt).toContain('# Attempt 1: doctor failed');
    expect(prompt).toContain('commit abc');
    expect(prompt).toContain('````\nnot ok 1 ``` x\n````');
  });

  test('says only what is new to an agent that goes on with its thread', () => {
    const prompt = renderPrompt({ ...facts, resumed: true, turn: 2 });
    expect(prompt).not.toContain('Write the login.');
    expect(prompt).toContain('turn 2');
  });
});
