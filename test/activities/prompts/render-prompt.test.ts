import { describe, expect, test } from '@jest/globals';
import { renderPrompt } from '../../../activities/prompts/render-prompt.ts';
import { builtInPrompts } from '../../../activities/prompts/templates.ts';
import type { Evidence } from '../../../core/evidence.ts';
import type { PromptFacts } from '../../../core/prompt.ts';
import { manifestSchema } from '../../../core/task-file.ts';

const inputs = [
  { name: 'port', prompt: 'Which port?', secret: false },
  { name: 'token', prompt: 'The token?', secret: true },
];
const facts: PromptFacts = {
  task: {
    manifest: { ...manifestSchema.parse({ description: 'Lets people in.', inputs }), id: '003', name: 'add-login' },
    body: '\nWrite the login. {{ not.a.variable }}\n',
    file: '003.md',
    digest: 'd',
  },
  scope: ['src/**', 'test/**'],
  attempt: 3,
  turn: 1,
  evidence: [],
  checks: ['npm run lint', 'npm test'],
  inputs: { port: { value: '8080' }, token: { sealed: 'v1.sealed' } },
};
const conflict: Evidence = {
  kind: 'conflict',
  summary: 'the work conflicts with main: src/a.js',
  detail: '<<<<<<< ours\na ``` b\n=======\nc\n>>>>>>> theirs',
  attempt: 2,
  commit: 'beef',
  tried: 'I changed a.',
  changes: ' src/a.js | +1 -1\n 1 file changed, +1 -1',
};
const failed: Evidence = { ...conflict, kind: 'failed_check', summary: 'doctor failed', attempt: 1, commit: 'cafe' };
const word: Evidence = { ...conflict, kind: 'answer', summary: 'answer to: Which one?', detail: 'The first.' };
const prompts = builtInPrompts();

describe('the built-in prompts', () => {
  test('of a first attempt name the task, its scope, its checks, its inputs, the way to ask, and its specification', () => {
    expect(renderPrompt(prompts, facts, false)).toBe(`Task 003: add-login — attempt 3.

Lets people in.

You work alone in a clone of the repository; the current directory is its work tree. Change the files that the task needs and nothing else. Your changes are taken from the work tree when you are done: you need not commit, and must not push, switch branches or rewrite history.

You may change: src/**, test/**.

Your work is checked on a fresh checkout with:
    npm run lint
    npm test
Run it yourself before you finish.

If you cannot go on without a person's decision, write your question to the file .signalbox/question.md and end your turn: a person answers it, and you go on from there. Ask only what you cannot find out yourself.

A person gave you this:
- port (Which port?): 8080

# Specification

Write the login. {{ not.a.variable }}
`);
  });

  test('of a later attempt tell the newest failure in full, the others in a line, and what people said', () => {
    const text = renderPrompt(prompts, { ...facts, evidence: [failed, conflict, word] }, false);
    expect(text.slice(text.indexOf('# What was tried'))).toBe(`# What was tried before

- Attempt 1: doctor failed. Its work is commit cafe. The agent said: I changed a.

# Attempt 2: the work conflicts with main: src/a.js

The work of that attempt is commit beef.

\`\`\`\`
<<<<<<< ours
a \`\`\` b
=======
c
>>>>>>> theirs
\`\`\`\`

It had changed:

\`\`\`
 src/a.js | +1 -1
 1 file changed, +1 -1
\`\`\`

At its end the agent said:

\`\`\`
I changed a.
\`\`\`

# From a person: answer to: Which one?

The first.
`);
    const { tried, changes, detail, ...none } = { ...conflict, commit: null };
    expect([tried, changes, detail]).not.toContain('');
    const bare = { ...none, tried: '', changes: '', detail: '' };
    expect(renderPrompt(prompts, { ...facts, evidence: [bare] }, false)).toMatch(/src\/a\.js\n$/);
  });

  test('tell of guidance which work it is about, if there is any', () => {
    const guidance = { ...word, kind: 'guidance' as const, attempt: 2, commit: 'beef', detail: 'Use the parser.' };
    const told = (evidence: typeof guidance): string => {
      const text = renderPrompt(prompts, { ...facts, evidence: [evidence] }, false);
      return text.slice(text.indexOf('# From'));
    };
    expect(told(guidance)).toBe(`# From a person

It is about attempt 2, whose work is commit beef.

Use the parser.
`);
    expect(renderPrompt(prompts, { ...facts, evidence: [{ ...guidance, commit: null }] }, false)).toMatch(
      /# From a person\n\nUse the parser\.\n$/,
    );
  });

  test('of a turn on a known thread say only what is new', () => {
    const text = renderPrompt(prompts, { ...facts, turn: 2, evidence: [conflict, word] }, true);
    expect(text).toMatch(/^Task 003: add-login — attempt 3, turn 2\.\n\n# Attempt 2: the work conflicts/);
    expect(text).toContain('The first.');
    for (const known of ['Write the login.', 'You work alone', 'Which port?']) expect(text).not.toContain(known);
  });

  test('never hold a secret, not even sealed', () => {
    for (const resumed of [false, true])
      expect(renderPrompt(prompts, { ...facts, evidence: [conflict] }, resumed)).not.toMatch(/sealed|token/);
  });
});

test('a template of the project is used as it is, and gives the same text each time', () => {
  const own = { ...prompts, task: '{{ task.id | append: "!" }}\n{%- for one in checks %}\n* {{ one }}{% endfor %}\n' };
  expect(renderPrompt(own, facts, false)).toBe('003!\n* npm run lint\n* npm test\n');
});

test('a value is missing after all: the failure names the template and the place', () => {
  const own = { ...prompts, task: '\n{{ checks[1].nothing }}' };
  expect(() => renderPrompt(own, facts, false)).toThrow(/task\.md cannot be filled in: .*checks\.1\.nothing.*line:2/);
});
