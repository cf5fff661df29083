import * as z from 'zod';
import { agentFields, limitFields } from './config.ts';
import { commands, duration, globs as globList, identifier, line, text, variableName } from './fields.ts';

const globs = () => globList().prefault([]);
const names = () => z.array(z.string()).prefault([]);

const overrides = z.strictObject({
  provider: agentFields.provider.optional(),
  model: agentFields.model,
  reasoning_effort: agentFields.reasoning_effort,
  command: agentFields.command,
});

/** The format of a task file's front matter. Parsing applies the defaults; keys stay as they are written there. */
export const manifestSchema = z.strictObject({
  id: identifier('task')
    .optional()
    .describe("Unique in the catalogue, ignoring case; by default the file's name up to its first `-`. Quote it."),
  name: identifier('task name')
    .optional()
    .describe("A short name for lists and branches; by default the rest of the file's name."),
  description: text().optional().describe('One sentence for people.'),
  depends_on: names().describe('Ids of the tasks that must be merged before this one starts.'),
  priority: z.int().prefault(0).describe('Higher starts first.'),
  estimate: duration().optional().describe('How long it may take; helps to start the critical path first.'),
  files: z
    .strictObject({
      reads: globs().describe('Globs of the paths that it relies on.'),
      writes: globs().describe('Globs of the paths that it changes.'),
    })
    .prefault({})
    .describe('The scope. A task with neither `files` nor `locks` locks everything.'),
  locks: z
    .strictObject({
      reads: names().describe('Names of the resources that it relies on.'),
      writes: names().describe('Names of the resources that it changes.'),
    })
    .prefault({})
    .describe('Named resources of the configuration, as part of the scope.'),
  tests: z
    .strictObject({
      paths: globs().describe('Globs of the paths where its tests lie.'),
      affected: globs().describe('Globs of the tests that its change affects.'),
    })
    .prefault({})
    .describe('Its tests.'),
  tdd: z.enum(['off', 'strict']).prefault('off').describe('`strict`: failing tests first, then the code.'),
  verify: z
    .strictObject({
      doctor: commands().optional().describe("Instead of the configuration's `checks.doctor`."),
      fast: commands().optional().describe('A quick check for the agent to use while it works.'),
      lint: commands().optional().describe("Instead of the configuration's `checks.lint`."),
    })
    .prefault({})
    .describe('Its own checks.'),
  agent: overrides.prefault({}).describe("Overrides of the configuration's `agent`."),
  limits: z
    .strictObject({
      attempts: z.int().min(1).optional().describe('Instead of `run.attempts`.'),
      turns: z.int().min(1).optional().describe('Instead of `run.turns`.'),
      task_time: limitFields.task_time.optional(),
      silence: limitFields.silence.optional(),
      tokens_per_task: limitFields.tokens_per_task,
    })
    .prefault({})
    .describe('Overrides of the bounds.'),
  inputs: z
    .array(
      z.strictObject({
        name: variableName().describe('What it is called; in upper case, a part of the variable that checks find.'),
        prompt: line().describe('What the person is asked.'),
        secret: z.boolean().prefault(false).describe('Never stored in clear, shown, or told to an agent.'),
      }),
    )
    .superRefine((list, context) => {
      const names = list.map(({ name }) => name.toLowerCase());
      for (const [index, { name }] of list.entries()) {
        if (names.indexOf(name.toLowerCase()) === index) continue;
        const message = `${JSON.stringify(name)} is already the name of another input`;
        context.addIssue({ code: 'custom', path: [index, 'name'], message });
      }
    })
    .prefault([])
    .describe('What a person is asked for before the task starts.'),
  approval: z
    .enum(['none', 'start', 'merge'])
    .prefault('none')
    .describe("A person's word is asked for before the task starts, or before it is merged."),
});

/** A parsed front matter with the file's name applied: durations in milliseconds. Plain JSON. */
export type Manifest = Omit<z.output<typeof manifestSchema>, 'id' | 'name'> & { id: string; name: string };

/** A task: what its file says. */
export interface Task {
  manifest: Manifest;
  /** The Markdown after the front matter: the spec that the agent reads. */
  body: string;
  /** Path of the file relative to the repository that holds `.signalbox`, with `/`. */
  file: string;
  /** SHA-256 of the file's bytes, hexadecimal. */
  digest: string;
}
