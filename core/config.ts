import * as z from 'zod';
import { bootstrapSchema } from './bootstrap-config.ts';
import {
  branchName,
  branchPrefix,
  commands,
  committer,
  duration,
  globs,
  identifier,
  identity,
  line,
  text,
  variableName,
} from './fields.ts';
import { identityText, OUR_IDENTITY } from './identity.ts';
import { mergeDriversSchema } from './merge-drivers.ts';
import { redactSchema } from './redact-config.ts';
import { sandboxSchema } from './sandbox-config.ts';

const providers = ['codex', 'openai', 'anthropic', 'mock'] as const;
const effort = () => z.enum(['minimal', 'low', 'medium', 'high', 'xhigh', 'max', 'ultra', 'persistent']);
const count = () => z.int().min(1);
const dollars = () => z.number().nonnegative();

const repository = z.strictObject({
  path: text().prefault('.').describe("The user's repository, relative to the directory that holds `.signalbox`."),
  integration_branch: branchName()
    .prefault('main')
    .describe('The branch that proven work is merged into. It must exist; it is never created silently.'),
  max_parallel: count()
    .optional()
    .describe('How many tasks of all runs on this repository are worked on at once; by default no bound.'),
  ignore_case: z
    .boolean()
    .optional()
    .describe('Do names that differ only in case mean one file? By default as git says (`core.ignorecase`).'),
  task_branch_prefix: branchPrefix().prefault('signalbox/').describe("What the names of tasks' branches begin with."),
  remote: z
    .strictObject({
      name: branchName().describe("The remote's name in the repository, such as `origin`."),
      push: z
        .enum(['none', 'branch', 'pull_request'])
        .prefault('none')
        .describe(
          "What is sent there: nothing; each task's branch when its work is verified; or a GitHub pull request per task, " +
            'through which the work is merged.',
        ),
      integration: z
        .boolean()
        .prefault(false)
        .describe('For `branch`: send the integration branch too after each landing, by fast-forward only.'),
      labels: z.array(line()).prefault([]).describe('Labels of pull requests.'),
      reviewers: z
        .array(line())
        .prefault([])
        .describe('Who is asked to review a pull request once its work is verified: names of users, or `org/team`.'),
      checks: z
        .enum(['all', 'required'])
        .prefault('all')
        .describe(
          "Which of a pull request's own checks must pass before it is merged: all that there are, or only those that " +
            'the branch requires.',
        ),
      grace: duration()
        .prefault('1m')
        .describe('How long its first check may take to appear before a pull request counts as one without checks.'),
    })
    .optional()
    .describe('Where results go besides the local branch.'),
});

const run = z.strictObject({
  max_parallel: count().prefault(4).describe('How many tasks of one run are worked on at once.'),
  attempts: count().prefault(3).describe('How often a task is tried, each time from a fresh base.'),
  turns: count().prefault(8).describe('How many agent turns an attempt may take.'),
  on_task_failure: z
    .enum(['continue', 'stop'])
    .prefault('continue')
    .describe('After a failed task: `continue` with what does not depend on it, or `stop` starting tasks.'),
});

/** A list of things whose names differ, also ignoring case. */
function named<T extends { name: string }>(list: z.ZodArray<z.ZodType<T>>, what: string) {
  return list.superRefine((items, context) => {
    const names = items.map(({ name }) => name.toLowerCase());
    for (const [index, { name }] of items.entries()) {
      if (names.indexOf(name.toLowerCase()) === index) continue;
      const message = `${JSON.stringify(name)} is already the name of another ${what}`;
      context.addIssue({ code: 'custom', path: [index, 'name'], message });
    }
  });
}

/** The agent's part of the configuration; a task file may override each key. */
export const agentFields = {
  provider: z
    .enum(['codex', 'command', 'mock'])
    .describe('Who works on tasks: Codex, any command-line agent, or a scripted stand-in for tests.'),
  model: line().optional().describe("The model's name; by default the provider's own choice."),
  reasoning_effort: effort().optional().describe("How long the model thinks; by default the provider's own choice."),
  command: text()
    .optional()
    .describe('For `command`: a command line. Prompt on stdin, the work tree as directory, exit code 0 ends the turn.'),
};

const agent = z
  .strictObject({ ...agentFields, provider: agentFields.provider.prefault('codex') })
  .superRefine(({ provider, command }, context) => {
    if (provider !== 'command' || command !== undefined) return;
    context.addIssue({ code: 'custom', path: ['command'], message: 'must be set for provider command' });
  });

const planner = z.strictObject({
  provider: z.enum(providers).prefault('codex').describe('Who turns a plan into tasks.'),
  model: line().optional().describe("The model's name; by default the provider's own choice."),
});

const checks = z.strictObject({
  bootstrap: bootstrapSchema
    .optional()
    .describe('Dependencies, installed once per digest of image, commands and inputs, where no agent ever enters.'),
  lint: commands().prefault([]).describe("Style checks, run on a task's work."),
  doctor: commands().prefault([]).describe('What must pass on the result of every task.'),
  integration: commands()
    .optional()
    .describe(
      'What must pass on every merged tree before the branch moves to it; by default `doctor`. An empty list says ' +
        'that nothing is checked: results are then reported as unverified.',
    ),
  timeout: duration().prefault('15m').describe('How long each check may take.'),
  canary: z
    .strictObject({
      mode: z.enum(['off', 'env']).prefault('off').describe('`env`: prove the check by making it fail.'),
      variable: variableName().prefault('SIGNALBOX_CANARY').describe('The environment variable to set, to `1`.'),
      unproven: z
        .enum(['warn', 'block'])
        .prefault('warn')
        .describe(
          'When it passes all the same: tell it with what was merged (`warn`), or merge nothing and ask (`block`).',
        ),
    })
    .prefault({})
    .describe('Runs the integration check again with the variable set, where it must fail.'),
});

const lane = z.strictObject({
  name: identifier('lane').describe('What it is called in the Web UI.'),
  paths: globs().min(1, 'must name at least one path').describe('Globs of the paths that its checks depend on.'),
  integration: commands()
    .optional()
    .describe('What must pass on a merged tree that changes only these paths; by default `checks.integration`.'),
});

const train = z.strictObject({
  slots: z
    .int()
    .min(1)
    .max(16)
    .prefault(2)
    .describe('How many integration checks run at once: of ever longer prefixes of what is to be merged.'),
  recheck_tip: z
    .boolean()
    .prefault(true)
    .describe(
      'Before a red integration check is blamed on a task, check the branch alone once more; if it is red too, nobody is ' +
        'blamed: nothing is merged, and a person is asked.',
    ),
  lanes: named(z.array(lane), 'lane')
    .prefault([])
    .describe(
      'Parts of the repository whose checks do not depend on one another. Tasks that change only one of them are merged ' +
        'without waiting for the checks of the others. By default the whole repository is checked as one.',
    ),
});

const resource = z.strictObject({
  name: identifier('resource').describe('What `locks` in task files call it.'),
  paths: globs().min(1, 'must name at least one path').describe('Globs of the paths that belong to it.'),
  description: text().optional().describe('What it is, for people and planners.'),
});

const resources = named(z.array(resource), 'resource');

const validator = z.strictObject({
  mode: z.enum(['off', 'warn', 'block']).prefault('off').describe('Whether it judges, and whether its word counts.'),
  provider: z.enum(providers).prefault('codex').describe('Who judges.'),
  model: line().optional().describe("The model's name; by default the provider's own choice."),
  reasoning_effort: effort().optional().describe("How long the model thinks; by default the provider's own choice."),
  instructions: text().optional().describe('What to look at besides the built-in instructions.'),
});

const validators = z.strictObject({
  tests: validator.prefault({}).describe('Are the changes tested, and were no tests weakened?'),
  style: validator.prefault({}).describe("Does the code follow the project's style?"),
  architecture: validator.prefault({}).describe("Does the change respect the project's structure?"),
  doctor: validator.prefault({}).describe('Does the doctor prove what the task asked for?'),
});

/** The bounds that a task file may override. */
export const limitFields = {
  task_time: duration().describe(
    'How long agents may work on a task, over all its turns and attempts; waiting for people and locks does not ' +
      'count. A single turn never gets more, also where limits only warn.',
  ),
  silence: duration().describe('How long an agent may print nothing on its standard output.'),
  tokens_per_task: count()
    .optional()
    .describe('Tokens, in and out, over all turns and attempts at a task; by default no bound.'),
};

const limits = z.strictObject({
  task_time: limitFields.task_time.prefault('2h'),
  silence: limitFields.silence.prefault('20m'),
  tokens_per_task: limitFields.tokens_per_task,
  cost_per_run: dollars()
    .optional()
    .describe('US dollars, over all tasks of a run, those under way included; by default no bound. See `prices`.'),
  mode: z
    .enum(['warn', 'block'])
    .prefault('warn')
    .describe('A bound that is hit is recorded (`warn`), or stops the step at once and asks a person (`block`).'),
});

const price = z.strictObject({
  input: dollars().describe('Per million input tokens.'),
  cached_input: dollars().optional().describe('Per million input tokens read from a cache; by default as `input`.'),
  output: dollars().describe('Per million output tokens.'),
});

const merge = z.strictObject({
  style: z
    .enum(['merge', 'squash'])
    .prefault('merge')
    .describe(
      "How a task's work lands: by a merge commit that keeps the agent's commit as its second parent, or as one commit " +
        'with one parent.',
    ),
  author: committer()
    .prefault(identityText(OUR_IDENTITY))
    .describe("Whom these commits name as author: `Name <email>`, or `user`: the name and address of the user's git."),
  committer: committer()
    .prefault(identityText(OUR_IDENTITY))
    .describe('Whom they name as committer; likewise. Servers compare it with the key of a signature.'),
  co_author: z
    .union([z.boolean(), identity()], 'must be true, false or "Name <email>"')
    .prefault(false)
    .describe(
      'Names the agent in a `Co-authored-by` trailer: `true` for Codex as `Codex <noreply@openai.com>`, any agent by ' +
        'its `Name <email>`.',
    ),
  sign: z
    .enum(['auto', 'off'])
    .prefault('auto')
    .describe("`auto`: signs these commits with the user's key where their git signs commits (`commit.gpgsign`)."),
  drivers: mergeDriversSchema
    .prefault([])
    .describe(
      'How certain files are merged that two tasks changed; the last entry that names a file counts, before what ' +
        '`.gitattributes` says.',
    ),
});

const sections = z.strictObject({
  version: z.literal(1).prefault(1).describe('The version of this format.'),
  project: identifier('project')
    .optional()
    .describe(
      'The identifier of the project: lower-case letters, digits, `.`, `_` and `-`, at most 63; by default made ' +
        "from the directory's name.",
    ),
  repository: repository.prefault({}).describe('The repository, and where work goes.'),
  tasks: z
    .strictObject({
      path: text()
        .prefault('.signalbox/tasks')
        .describe('The directory of the task files, relative to the directory that holds `.signalbox`.'),
    })
    .prefault({})
    .describe('The task files.'),
  run: run.prefault({}).describe('How a run goes.'),
  agent: agent.prefault({}).describe('Who works on the tasks.'),
  planner: planner.prefault({}).describe('Who plans.'),
  checks: checks.prefault({}).describe('What proves the work.'),
  train: train.prefault({}).describe('How finished work is checked and merged.'),
  resources: resources.prefault([]).describe('Named sets of paths that tasks can lock.'),
  scope: z
    .strictObject({
      mode: z
        .enum(['off', 'warn', 'block'])
        .prefault('warn')
        .describe('What happens when a task writes outside of what it declared.'),
      wait: duration()
        .prefault('10m')
        .describe('How long a task that holds locks waits for more of them, before it gives all up and starts over.'),
    })
    .prefault({})
    .describe('Compliance of what tasks write with what they declared.'),
  people: z
    .strictObject({
      deadline: duration().optional().describe('How long a person has for an answer; by default no bound.'),
      outcome: z
        .enum(['approve', 'reject'])
        .prefault('reject')
        .describe(
          'What counts as said after the deadline, where a word before a start or a merge is asked for. What nobody ' +
            'answers else is a rejection: questions, inputs, and work that a bound stopped.',
        ),
    })
    .prefault({})
    .describe('What waits for people.'),
  validators: validators.prefault({}).describe('Models that judge finished attempts.'),
  merge: merge.prefault({}).describe('How finished work is merged, and what lands on the integration branch.'),
  limits: limits.prefault({}).describe('The bounds of time, tokens and money.'),
  prices: z
    .record(line(), price)
    .prefault({})
    .describe(
      'US dollars per million tokens, by the name of the model in `agent.model` or in its answers; overrides the ' +
        'built-in table.',
    ),
  sandbox: sandboxSchema.prefault({}).describe('Where agents and checks run.'),
  redact: redactSchema
    .prefault({})
    .describe(
      'What is secret, and shown as `***` in everything that is written: outputs, prompts, events, reports, logs.',
    ),
});

/** The format of `.signalbox/config.yaml`. Parsing applies every default; keys stay as they are written there. */
export const configSchema = sections.superRefine(({ merge: { co_author: coAuthor }, agent: { provider } }, context) => {
  if (coAuthor !== true || provider === 'codex') return;
  const message = `true names Codex, and agent.provider is ${provider}: write "Name <email>"`;
  context.addIssue({ code: 'custom', path: ['merge', 'co_author'], message });
});

/** A parsed configuration: keys as in the file, defaults applied, durations in milliseconds, sizes in bytes. */
export type Config = Omit<z.output<typeof configSchema>, 'project'> & { project: string };

/** A named set of paths that tasks can lock. */
export type Resource = Config['resources'][number];

/** What lands, and how. A run may be pinned to a configuration that is older than this section. */
export function mergeSettings(config: Config): Config['merge'] {
  return (config as Partial<Config>).merge ?? merge.parse({});
}
