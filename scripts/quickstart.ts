import { mkdirSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { z } from 'zod';
import { failureOf } from '../cli/framework/failure.ts';
import { createExample, repositoryIn } from './quickstart/example.ts';
import { hasKey, liveModel, scriptedModel } from './quickstart/model.ts';
import { type Place, placeEnvironment, placeOf, writeCommand } from './quickstart/place.ts';
import { forgetRuns, removeAll } from './quickstart/reset.ts';
import { Signalbox } from './quickstart/signalbox.ts';

const USAGE = `npm run quickstart [-- OPTIONS]

Runs the tasks of examples/branchline with the real Codex. Everything that it makes and starts belongs to .quickstart/.

  --live                  the real model, with OPENAI_API_KEY or CODEX_API_KEY of the environment: this costs money;
                          without it, a scripted model answers
  --backend local|docker  where agents and checks run; by default Docker where an engine answers, else this machine
  --clean                 end and remove what quickstarts left
  --help                  print this`;

const runSchema = z.object({
  status: z.string(),
  ended_at: z.string().nullable(),
  integration_branch: z.string(),
  base_commit: z.string(),
  head_commit: z.string(),
});

interface Choices {
  live: boolean;
  backend: string | undefined;
  clean: boolean;
  help: boolean;
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Until the run has begun, Ctrl+C ends everything; from then on it only leaves the run. */
let leaveOnInterrupt = false;

async function quickstart(place: Place, { live, backend }: Choices): Promise<number> {
  const begin = performance.now();
  if (live && !hasKey(process.env)) {
    process.stderr.write('error: --live needs OPENAI_API_KEY or CODEX_API_KEY in the environment\n');
    return 2;
  }
  mkdirSync(place.directory, { recursive: true });
  const ownEnv = placeEnvironment(place, process.env);

  say('▸ Starting the embedded Temporal server');
  const server = await new Signalbox(place, ownEnv).show('server', 'start', '--detach');
  if (server !== 0) return server;

  say('\n▸ Building the example repository');
  await forgetRuns(place, new Signalbox(place, ownEnv), say);
  const folder = await createExample(place, new Date());
  const repository = repositoryIn(folder);
  say(`  ${relative(process.cwd(), repository)}: a small library with a history, tests, and eight tasks to do`);

  say('\n▸ Starting the model');
  const model = await (live ? liveModel(place) : scriptedModel(place));
  const env = { ...ownEnv, ...model.env };
  writeCommand(place, repository, env);
  say(`  ${model.description}`);

  say('\n▸ Running the tasks (Ctrl+C leaves the run, which then goes on by itself)');
  leaveOnInterrupt = true;
  const signalbox = new Signalbox(place, env);
  const id = `quickstart-${basename(folder).toLowerCase()}`;
  const options = backend === undefined ? [] : ['--backend', backend];
  const code = await signalbox.show('-C', repository, 'run', 'start', '--run-id', id, ...options);
  const run = await signalbox.ask(runSchema, '-C', repository, 'run', 'describe', id);
  if (run === undefined) {
    say('\nNo run was started.');
    await model.stop();
    return code === 0 ? 1 : code;
  }
  const over = run.ended_at !== null;
  if (over) await model.stop();
  if (run.head_commit !== run.base_commit) await showCommits(repository, run);
  say(`\n▸ ${over ? 'Done' : 'Not over yet'} after ${((performance.now() - begin) / 1000).toFixed(0)} s in all`);
  if (over && !live) say('  The tokens are those of the scripted model: nothing was paid.');
  say(nextSteps(place, repository, over));
  return code === 0 && run.status !== 'completed' ? 1 : code;
}

async function showCommits(repository: string, run: z.infer<typeof runSchema>): Promise<void> {
  say(`\n▸ New commits on ${run.integration_branch}`);
  const range = `${run.base_commit}..${run.integration_branch}`;
  await execa('git', ['--no-pager', 'log', '--graph', '--oneline', range], { cwd: repository, stdio: 'inherit' });
}

/** What to type next; every line works from the directory of the user. */
function nextSteps(place: Place, repository: string, over: boolean): string {
  const command = `./${relative(process.cwd(), place.command)}`;
  const steps: [string, string][] = [
    ...(over
      ? []
      : ([
          ['follow the run', `${command} run watch`],
          ['end the run', `${command} run cancel`],
        ] satisfies [string, string][])),
    ['the run again', `${command} run describe`],
    ['what an agent did', `${command} task logs 007`],
    ['the result', `cd ${relative(process.cwd(), repository)}`],
    ['stop the server', `${command} server stop`],
    ['remove everything', 'npm run quickstart -- --clean'],
  ];
  return steps.map(([what, how]) => `  ${what.padEnd(18)} ${how}`).join('\n');
}

function parseChoices(): Choices | string {
  try {
    const flag = { type: 'boolean', default: false } as const;
    const { values } = parseArgs({ options: { live: flag, backend: { type: 'string' }, clean: flag, help: flag } });
    const { backend } = values;
    if (backend !== undefined && backend !== 'local' && backend !== 'docker') return '--backend is local or docker';
    return { ...values, backend };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function main(): Promise<number> {
  const choices = parseChoices();
  if (typeof choices === 'string') {
    process.stderr.write(`error: ${choices}\n\n${USAGE}\n`);
    return 2;
  }
  if (choices.help) {
    say(USAGE);
    return 0;
  }
  process.on('SIGINT', () => {
    if (leaveOnInterrupt) return;
    say('\nInterrupted. "npm run quickstart" begins again.');
    process.exit(130);
  });
  const place = placeOf(join(import.meta.dirname, '..'));
  if (!choices.clean) return await quickstart(place, choices);
  say('▸ Ending and removing what quickstarts left');
  await removeAll(place, new Signalbox(place, placeEnvironment(place, process.env)), say);
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`error: ${failureOf(error).message}\n`);
  process.exitCode = 3;
}
