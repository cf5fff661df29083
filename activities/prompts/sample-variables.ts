import { QUESTION_FILE, type PromptVariables } from '../../core/prompt.ts';

const several = <T>(make: (n: number) => T): T[] => [1, 2, 3].map(make);

/** Values with everything that a prompt can hold. */
export const FULL_VARIABLES: PromptVariables = {
  task: {
    id: '003',
    name: 'add-login',
    description: 'Adds a login.',
    spec: 'Add a login.',
    scope: several((n) => `src/${n}/**`),
  },
  attempt: 4,
  turn: 2,
  checks: several((n) => `npm run check-${n}`),
  evidence: {
    attempt: 3,
    kind: 'failed_check',
    summary: 'doctor check `npm test` ended with exit code 1',
    output: '```\nnot ok 1\n```',
    changes: '```\nsrc/1/a.js | 2 +-\n```',
    tried: '```\nDone.\n```',
    commit: 'c0ffee',
  },
  earlier: several((n) => ({ attempt: n, kind: 'conflict', summary: 'conflicts', tried: 'Done.', commit: 'c0ffee' })),
  guidance: several((n) => ({
    ...{ kind: 'guidance', summary: `word ${n}`, text: 'Use the other library.' },
    ...{ attempt: n, commit: 'c0ffee' },
  })),
  inputs: several((n) => ({ name: `input_${n}`, prompt: 'Which port?', value: '8080' })),
  question_file: QUESTION_FILE,
};

/** Values with nothing but what every prompt holds. */
export const BARE_VARIABLES: PromptVariables = {
  ...FULL_VARIABLES,
  task: { ...FULL_VARIABLES.task, description: null, scope: [] },
  attempt: 1,
  turn: 1,
  checks: [],
  evidence: null,
  earlier: [],
  guidance: [],
  inputs: [],
};
