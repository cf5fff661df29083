import * as z from 'zod';
import {
  branchName,
  branchPrefix,
  commands,
  duration,
  globs,
  identifier,
  line,
  pattern,
  size,
  text,
  variableName,
} from './fields.ts';

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
        .describe('What is sent there: nothing, the branches, or a pull request per task.'),
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

const bootstrap = z.strictObject({
  commands: commands().describe('What installs the dependencies, such as `npm ci`.'),
  inputs: globs().prefault([]).describe('Files whose change makes them run again: manifests and lock files.'),
  outputs: globs().prefault([]).describe('What they produce and steps need, such as `node_modules`.'),
  network: z.enum(['registries', 'none']).prefault('registries').describe('What they may reach.'),
});

const checks = z.strictObject({
  bootstrap: bootstrap
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
      variable: variableName().prefault('SIGNALBOX_CANARY').describe('The environment variable to set.'),
    })
    .prefault({})
    .describe('Runs the integration check again with the variable set, where it must fail.'),
});

const resource = z.strictObject({
  name: identifier('resource').describe('What `locks` in task files call it.'),
  paths: globs().min(1, 'must name at least one path').describe('Globs of the paths that belong to it.'),
  description: text().optional().describe('What it is, for people and planners.'),
});

const resources = z.array(resource).superRefine((list, context) => {
  const names = list.map(({ name }) => name.toLowerCase());
  for (const [index, { name }] of list.entries()) {
    if (names.indexOf(name.toLowerCase()) === index) continue;
    const message = `${JSON.stringify(name)} is already the name of another resource`;
    context.addIssue({ code: 'custom', path: [index, 'name'], message });
  }
});

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

const sandbox = z.strictObject({
  backend: z
    .enum(['docker', 'local'])
    .optional()
    .describe('`docker` where an engine answers, otherwise `local`, said out loud; naming one insists on it.'),
  image: line().optional().describe('The image that steps run in; by default the one that Signalbox builds.'),
  dockerfile: text().optional().describe('Builds the image instead, relative to the repository.'),
  build_context: text().optional().describe("The directory that the Dockerfile's `COPY` sees; by default its own."),
  user: line().optional().describe('`uid[:gid]` of the processes; by default nobody that the host knows.'),
  network: z
    .enum(['gateway', 'none', 'bridge'])
    .prefault('gateway')
    .describe("What agents reach: only the model gateway, nothing, or the engine's ordinary network."),
  memory: size().optional().describe('Memory of one step, swap included.'),
  cpus: z.number().positive().optional().describe('Processors of one step; fractions are allowed.'),
  pids: count().optional().describe('Processes and threads of one step.'),
  runtime: line().optional().describe('An OCI runtime that the engine knows, such as `runsc`.'),
  env: z
    .array(variableName())
    .prefault([])
    .describe("Names of environment variables that steps get from the worker's environment."),
});

const redact = z.strictObject({
  names: z
    .array(variableName())
    .prefault([])
    .describe(
      "Names of variables in the worker's environment whose values are hidden. Those whose name and value look like a " +
        "key's are without being listed.",
    ),
  patterns: z
    .array(pattern())
    .prefault([])
    .describe(
      'Regular expressions; what one matches is hidden. The shapes of well-known keys are without being listed.',
    ),
});

/** The format of `.signalbox/config.yaml`. Parsing applies every default; keys stay as they are written there. */
export const configSchema = z.strictObject({
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
  limits: limits.prefault({}).describe('The bounds of time, tokens and money.'),
  prices: z
    .record(line(), price)
    .prefault({})
    .describe(
      'US dollars per million tokens, by the name of the model in `agent.model` or in its answers; overrides the ' +
        'built-in table.',
    ),
  sandbox: sandbox.prefault({}).describe('Where agents and checks run.'),
  redact: redact
    .prefault({})
    .describe(
      'What is secret, and shown as `***` in everything that is written: outputs, prompts, events, reports, logs.',
    ),
});

/** A parsed configuration: keys as in the file, defaults applied, durations in milliseconds, sizes in bytes. */
export type Config = Omit<z.output<typeof configSchema>, 'project'> & { project: string };

/** A named set of paths that tasks can lock. */
export type Resource = Config['resources'][number];
