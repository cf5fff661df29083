import * as z from 'zod';
import type { Evidence } from './evidence.ts';
import type { InputRequest, InputValue } from './person.ts';
import type { Task } from './task-file.ts';

/** The templates that prompts are made from: for an agent that starts, and for one that goes on with its thread. */
export const PROMPT_NAMES = ['task', 'continue'] as const;

/** The text of every template. */
export type PromptTemplates = Record<(typeof PROMPT_NAMES)[number], string>;

/** Where an agent leaves a question for a person, relative to its work tree; no commit ever holds it. */
export const QUESTION_FILE = '.signalbox/question.md';

/** Most characters of what is told in one line. */
const LONGEST_LINE = 800;

const fenced = (what: string) => z.string().describe(`${what}, bounded and fenced; empty if there is nothing.`);
const commit = z.string().nullable().describe('The commit that holds the work of that attempt, if it left any.');
const kind = z.string().describe('How it ended, such as `failed_check` or `conflict`.');

/** What a template may name. The reference page, docs/prompts.md, is generated from this. */
export const promptVariablesSchema = z.strictObject({
  task: z
    .strictObject({
      id: z.string().describe("The task's id."),
      name: z.string().describe('Its short name.'),
      description: z.string().nullable().describe('One sentence for people, if its file has one.'),
      spec: z.string().describe('What to do: the text of its file.'),
      scope: z.array(z.string()).describe('Globs of the paths that it may change; empty if its file declares none.'),
    })
    .describe('The task.'),
  attempt: z.number().describe('Which attempt this is, from 1.'),
  turn: z.number().describe('Which turn of the attempt this is, from 1.'),
  checks: z.array(z.string()).describe('Commands that the result must pass.'),
  evidence: z
    .strictObject({
      attempt: z.number().describe('The attempt that it is about.'),
      kind,
      summary: z.string().describe('What went wrong: one sentence, with the check, its command and its exit code.'),
      output: fenced('Head and tail of the output, or the conflicting hunks'),
      changes: fenced('What the work had changed, as `git diff --stat` shows it'),
      tried: fenced('What the agent said at its end'),
      commit,
    })
    .nullable()
    .describe('Why the newest attempt or turn was not accepted; nothing at the first.'),
  earlier: z
    .array(
      z.strictObject({
        attempt: z.number().describe('Its number.'),
        kind,
        summary: z.string().describe('What went wrong, in one sentence.'),
        tried: z.string().describe('What the agent said at its end, in one line; may be empty.'),
        commit,
      }),
    )
    .describe('What was tried before that, oldest first.'),
  guidance: z
    .array(
      z.strictObject({
        kind: z.string().describe('`guidance` or `answer`.'),
        summary: z.string().describe('What it is about, in one sentence.'),
        text: z.string().describe('What the person wrote.'),
        attempt: z.number().describe('The attempt that it is about.'),
        commit,
      }),
    )
    .describe('What people said about the task, oldest first.'),
  inputs: z
    .array(
      z.strictObject({
        name: z.string().describe('Its name.'),
        prompt: z.string().describe('What the person was asked.'),
        value: z.string().describe('What the person gave.'),
      }),
    )
    .describe("The task's `inputs` that are no secret."),
  question_file: z.string().describe(`Where the agent leaves a question for a person: \`${QUESTION_FILE}\`.`),
});

/** The values of a template's variables. */
export type PromptVariables = z.output<typeof promptVariablesSchema>;

/** What a prompt is made from. */
export interface PromptFacts {
  task: Task;
  /** Globs that the task may write; empty if it declared none. */
  scope: readonly string[];
  attempt: number;
  turn: number;
  /** What earlier attempts, or the last turn, came to, and what people said; oldest first. */
  evidence: readonly Evidence[];
  /** Commands that the result must pass. */
  checks: readonly string[];
  inputs: Readonly<Record<string, InputValue>>;
}

/** What a template is given for a turn: the newest failure in full, those before in a sentence, secrets not at all. */
export function promptVariables(facts: PromptFacts): PromptVariables {
  const { manifest, body } = facts.task;
  const said = facts.evidence.filter(isWord);
  const failures = facts.evidence.filter((evidence) => !isWord(evidence));
  const newest = failures.at(-1);
  return {
    task: {
      id: manifest.id,
      name: manifest.name,
      description: manifest.description ?? null,
      spec: body.trim(),
      scope: [...facts.scope],
    },
    attempt: facts.attempt,
    turn: facts.turn,
    checks: [...facts.checks],
    evidence: newest === undefined ? null : inFull(newest),
    earlier: failures.slice(0, -1).map((evidence) => ({
      attempt: evidence.attempt,
      kind: evidence.kind,
      summary: oneLine(evidence.summary),
      tried: oneLine(evidence.tried),
      commit: evidence.commit,
    })),
    guidance: said.map((evidence) => ({
      kind: evidence.kind,
      summary: oneLine(evidence.summary),
      text: evidence.detail.trim(),
      attempt: evidence.attempt,
      commit: evidence.commit,
    })),
    inputs: plainInputs(manifest.inputs, facts.inputs),
    question_file: QUESTION_FILE,
  };
}

/** The inputs of a task that have a value and are no secret, in the order of its file. */
export function plainInputs(
  requests: readonly InputRequest[],
  values: Readonly<Record<string, InputValue>>,
): { name: string; prompt: string; value: string }[] {
  return requests.flatMap(({ name, prompt, secret }) => {
    const given = Object.hasOwn(values, name) ? values[name] : undefined;
    return secret || given === undefined || !('value' in given) ? [] : [{ name, prompt, value: given.value }];
  });
}

function isWord({ kind }: Evidence): boolean {
  return kind === 'guidance' || kind === 'answer';
}

function inFull(evidence: Evidence): PromptVariables['evidence'] {
  return {
    attempt: evidence.attempt,
    kind: evidence.kind,
    summary: oneLine(evidence.summary),
    output: fence(evidence.detail),
    changes: fence(evidence.changes),
    tried: fence(evidence.tried),
    commit: evidence.commit,
  };
}

function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length <= LONGEST_LINE ? line : `${line.slice(0, LONGEST_LINE)}…`;
}

/** Fences text that nobody vouches for with more backticks than it holds in a row. */
function fence(text: string): string {
  const lines = text.replace(/^\s*\n/, '').trimEnd();
  if (lines === '') return '';
  const longest = Math.max(2, ...(lines.match(/`+/g) ?? []).map((run) => run.length));
  const mark = '`'.repeat(longest + 1);
  return `${mark}\n${lines}\n${mark}`;
}
