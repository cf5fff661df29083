import { describe, expect, test } from '@jest/globals';

import type { Agent, AgentTurnRequest, AgentTurnResult } from '../../../activities/agent/agent.ts';
import { createPlanners } from '../../../activities/agent/agents.ts';
import { splitPlan } from '../../../activities/agent/mock-planner.ts';
import { renderTaskFile, taskNameOf } from '../../../activities/agent/planned-task.ts';
import type { PlanRequest } from '../../../activities/agent/planner.ts';
import { NO_USAGE } from '../../../core/usage.ts';

const PLAN = `# The plan

Some words before.

## Add a login
id: 010
depends_on: 001, "002"
writes: [src/auth/**, test/auth/**]

Users log in.

\`\`\`md
## not a task
\`\`\`

## Überholen: schön #
Just text.
`;

/** An agent that says one thing, and remembers what it was asked. */
class Parrot implements Agent {
  readonly provider = 'codex';
  readonly asked: AgentTurnRequest[] = [];
  readonly #message: string;

  constructor(message: string) {
    this.#message = message;
  }

  runTurn(request: AgentTurnRequest): Promise<AgentTurnResult> {
    this.asked.push(request);
    const result = { reason: null, threadId: 't', usage: { ...NO_USAGE, input_tokens: 9 }, events: 1 };
    return Promise.resolve({
      ...result,
      outcome: 'finished',
      error: null,
      message: this.#message,
      durationMs: 1,
      attached: false,
    });
  }
}

async function plan(message: string): Promise<{ files: { file: string; text: string }[]; parrot: Parrot }> {
  const parrot = new Parrot(message);
  const turn = { workTree: '/nowhere' } as PlanRequest['turn'];
  const { files, usage } = await createPlanners({ codex: parrot }).codex.plan({ plan: PLAN, turn });
  expect(usage.input_tokens).toBe(9);
  return { files, parrot };
}

describe('the mock planner', () => {
  test('makes a task of each section, with what its first lines say', () => {
    expect(splitPlan(PLAN)).toEqual([
      {
        id: '010',
        name: 'add-a-login',
        description: 'Add a login',
        depends_on: ['001', '002'],
        writes: ['src/auth/**', 'test/auth/**'],
        body: 'Users log in.\n\n```md\n## not a task\n```',
      },
      {
        id: '002',
        name: 'uberholen-schon',
        description: 'Überholen: schön',
        depends_on: [],
        writes: [],
        body: 'Just text.',
      },
    ]);
  });

  test('refuses a plan without sections', async () => {
    const { mock } = createPlanners({ codex: new Parrot('') });
    await expect(mock.plan({ plan: 'Do it.', turn: {} as PlanRequest['turn'] })).rejects.toMatchObject({
      code: 'refused',
    });
  });
});

describe('the Codex planner', () => {
  test('asks for an answer only, and takes the last JSON block for it', async () => {
    const tasks = [{ id: '001', name: 'one', depends_on: [], writes: ['a/**'], body: 'Do one.\n```sh\nls\n```' }];
    const { files, parrot } = await plan(`Here it is:\n\`\`\`json\n${JSON.stringify({ tasks })}\n\`\`\`\n`);
    const text = '---\nid: "001"\nname: one\nfiles:\n  writes:\n    - a/**\n---\nDo one.\n```sh\nls\n```\n';
    expect(files).toEqual([{ file: '001-one.md', text }]);
    expect(parrot.asked[0]).toMatchObject({ access: 'read', threadId: null });
    expect(parrot.asked[0]?.prompt).toContain('Users log in.');
  });

  test.each(['I will not.', '{"tasks": []}', '{"tasks": [{"id": 1}]}'])('refuses the answer %s', async (answer) => {
    await expect(plan(answer)).rejects.toMatchObject({ code: 'refused' });
  });
});

describe('a task file', () => {
  test('is named so that it stays in its directory', () => {
    const task = { id: '../../x', name: 'a/b', depends_on: [], writes: [], body: 'b' };
    expect(renderTaskFile(task).file).toBe('x-a-b.md');
    expect(taskNameOf('***')).toBe('task');
  });
});
