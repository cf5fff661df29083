import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { createExample } from './quickstart/example.ts';
import { type QuickstartModel, liveModel, scriptedModel } from './quickstart/model.ts';
import { newCommits, runResult, taskTable, usageLine } from './quickstart/report.ts';

const USAGE = `npm run quickstart [-- --live] [--backend local|docker]

Runs the tasks of examples/branchline with the real Codex. Its model is scripted, unless --live: then it is the real
one, with OPENAI_API_KEY or CODEX_API_KEY from the environment.`;

const root = join(import.meta.dirname, '..');
const place = join(root, '.quickstart');
const cli = join(root, 'cli/signalbox.js');
const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Says what begins, does it, and says how long it took. */
async function timed<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
  say(`\n▸ ${what}`);
  const start = performance.now();
  const result = await work();
  say(`  ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return result;
}

/** Runs the product's own command line as a user would, with its progress on the screen. */
async function signalbox(directory: string, env: Record<string, string>, ...args: string[]) {
  return execa(process.execPath, [cli, ...args], {
    cwd: directory,
    env,
    stdin: 'ignore',
    stdout: args.includes('json') ? 'pipe' : 'inherit',
    stderr: 'inherit',
    reject: false,
  });
}

async function quickstart(live: boolean, backend: string | undefined): Promise<number> {
  const begin = performance.now();
  const real = live ? liveModel(process.env) : undefined;
  if (live && real === undefined) {
    process.stderr.write('error: --live needs OPENAI_API_KEY or CODEX_API_KEY in the environment\n');
    return 2;
  }
  const { folder, repository } = await timed('Building the example repository', () =>
    createExample(root, place, new Date(), async (old) => {
      if (existsSync(old)) await signalbox(old, {}, 'clean', '--force', '-o', 'json');
    }),
  );
  say(`  ${relative(process.cwd(), repository)}`);
  const model: QuickstartModel = real ?? (await timed('Starting the model', () => scriptedModel(root, place, folder)));
  say(`  ${model.description}`);

  const server = await timed('Starting the embedded Temporal server', () =>
    signalbox(root, model.env, 'server', 'start', '--detach'),
  );
  if (server.exitCode !== 0) return server.exitCode ?? 1;

  // Ctrl+C reaches `run start` too, which leaves the run; what remains is to say how it goes on.
  process.on('SIGINT', () => undefined);
  const started = await timed('Running the tasks', () =>
    signalbox(
      repository,
      model.env,
      'run',
      'start',
      '-o',
      'json',
      ...(backend === undefined ? [] : ['--backend', backend]),
    ),
  );
  const parsed = runResult.safeParse(parseJson(started.stdout ?? ''));
  if (!parsed.success) {
    say(started.stdout ?? '');
    return started.exitCode || 1;
  }
  const run = parsed.data.result;
  const over = run.status !== 'running' && run.status !== 'paused' && run.status !== 'waiting';
  if (over) model.stop();

  say(`\nRun ${run.run_id}: ${run.status}${run.reason === null ? '' : `, ${run.reason}`}\n`);
  say(taskTable(run));
  say(`\nNew on ${run.integration_branch}:\n${await newCommits(repository, run)}`);
  say(`\nTime     ${((performance.now() - begin) / 1000).toFixed(1)} s in all`);
  say(`Usage    ${usageLine(run)}${live ? '' : ' (scripted: nothing was paid)'}`);
  say(`Web UI   ${run.web_ui ?? 'none'}`);
  say(`Result   cd ${repository}`);
  say(nextSteps(over));
  return started.exitCode === 0 && run.status === 'completed' ? 0 : started.exitCode || 1;
}

function nextSteps(over: boolean): string {
  const command = `node ${relative(process.cwd(), cli)}`;
  return [
    '',
    ...(over ? [] : [`Go on    in that directory: ${command} run watch`]),
    `Look     in that directory: ${command} run describe, ${command} task logs 007`,
    `Stop     ${command} server stop    (the Web UI goes with it; the data stays)`,
    `Clean    rm -rf ${relative(process.cwd(), place)}    (the next quickstart does it, too)`,
  ].join('\n');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function parseOptions(): { live: boolean; backend: string | undefined; help: boolean } | string {
  try {
    const options = { live: { type: 'boolean' }, backend: { type: 'string' }, help: { type: 'boolean' } } as const;
    const { live = false, backend, help = false } = parseArgs({ options }).values;
    if (backend !== undefined && backend !== 'local' && backend !== 'docker') return '--backend is local or docker';
    return { live, backend, help };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const options = parseOptions();
if (typeof options === 'string') {
  process.stderr.write(`error: ${options}\n\n${USAGE}\n`);
  process.exitCode = 2;
} else if (options.help) {
  say(USAGE);
} else {
  process.exitCode = await quickstart(options.live, options.backend);
}
