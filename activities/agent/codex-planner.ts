import { z } from 'zod';

import { headAndTail, SignalboxError } from '../../core/failures.ts';
import type { Agent, RunTurnOptions } from './agent.ts';
import { plannedTaskSchema, renderTaskFile, type PlannedTask } from './planned-task.ts';
import type { Planner, PlanRequest, PlanResult } from './planner.ts';

/** Room for some hundred tasks. */
const LONGEST_ANSWER = 1024 * 1024;

const answerSchema = z.object({ tasks: z.array(plannedTaskSchema).min(1) });

/** A planner that asks Codex, which may read the repository, and takes its last message for the answer. */
export class CodexPlanner implements Planner {
  readonly provider = 'codex';
  readonly #agent: Agent;

  constructor(agent: Agent) {
    this.#agent = agent;
  }

  async plan({ plan, turn }: PlanRequest, options: RunTurnOptions = {}): Promise<PlanResult> {
    const request = {
      ...turn,
      prompt: prompt(plan),
      threadId: null,
      access: 'read',
      messageLimit: LONGEST_ANSWER,
    } as const;
    const result = await this.#agent.runTurn(request, options);
    if (result.outcome !== 'finished')
      throw new SignalboxError('refused', `planning failed: ${result.reason ?? result.outcome}`);
    return { files: tasksOf(result.message).map(renderTaskFile), usage: result.usage };
  }
}

/**
 * The tasks in an answer: a JSON document, alone or in a fenced block.
 *
 * @throws SignalboxError `refused` that says what is wrong with it
 */
export function tasksOf(answer: string): PlannedTask[] {
  const fenced = [...answer.matchAll(/^(`{3,})(?:json)?[ \t]*\n([\s\S]*?)^\1[ \t]*$/gm)].at(-1)?.[2];
  const parsed = answerSchema.safeParse(parseJson(fenced ?? answer));
  if (parsed.success) return parsed.data.tasks;
  const why = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'answer'}: ${issue.message}`).join('; ');
  throw new SignalboxError('refused', `the planner's answer is no list of tasks (${headAndTail(why, 500)})`, {
    hint: 'Run it again, or write the task files by hand.',
  });
}

function prompt(plan: string): string {
  return `Split the implementation plan below into tasks for coding agents that work at the same time, each alone in a clone of
this repository. Read the repository first. Change nothing.

A task should be a few hours of work at most, and be verifiable by itself. Tasks that change the same files must depend
on each other. Name in "writes" the globs of all paths that a task may change, tests and documentation included, as
narrowly as you can; in "depends_on" the ids of the tasks whose result it needs. "body" is the specification in
Markdown, all that the agent gets to read: what to do, where, and how to see that it is right.

Answer with one JSON document in a fenced block and nothing else:

\`\`\`json
{"tasks": [{"id": "001", "name": "short-name", "description": "One sentence.", "depends_on": [], "writes": ["src/a/**"], "body": "…"}]}
\`\`\`

Ids and names hold letters, digits and "-" only.

# The plan

${plan}
`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
