import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { homeOf } from '../../activities/home.ts';
import { packageRoot } from '../../activities/package-root.ts';
import type { RunDescription } from '../../core/description.ts';
import { parseScript } from '../../examples/scripted-model/script.ts';
import { startScriptedModel, type ScriptedModel } from '../../examples/scripted-model/server.ts';
import { stopGateway } from '../../workers/gateway-process.ts';
import { CliWorld, parseJson } from '../support/cli.ts';

/** Compiling and bundling, and unpacking a few hundred packages, on a busy machine. */
const PATIENCE = 300_000;

const SCRIPT = `#task 002
#title Do it with Codex.
#say I'll write the file.
echo codex > 002.txt
#done Written.
`;

let world: CliWorld;
let model: ScriptedModel;
let app: string;
let packed: string[];

beforeAll(async () => {
  world = new CliWorld().init();
  model = await startScriptedModel({ scripts: [parseScript('002', SCRIPT)], delay: { from: 0, to: 0 }, port: 0 });
  const { stdout } = await npm(packageRoot(), 'pack', '--json', '--pack-destination', world.root);
  const [tarball] = packOutput(stdout);
  packed = tarball.files;
  app = path.join(world.root, 'app');
  mkdirSync(app);
  writeFileSync(path.join(app, 'package.json'), '{ "private": true }\n');
  // No install script may be needed: users' npm may refuse to run them.
  const quick = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];
  await npm(app, 'install', ...quick, path.join(world.root, tarball.filename));
}, PATIENCE);

afterAll(async () => {
  world.killWorkers();
  await world.signalbox('server', 'stop');
  await stopGateway(homeOf(world.env));
  await model.close();
  world.remove();
});

test('the package holds what is needed to run, and no sources or tests', () => {
  expect(packed).toEqual(
    expect.arrayContaining([
      ...['LICENSE', 'README.md', 'CHANGELOG.md', 'package.json', 'temporal-dev.yml', 'cli/signalbox.js'],
      ...['docker/Dockerfile', 'docker/step.sh', 'docker/step-local.sh', 'docker/temporal/dynamic-config.yaml'],
      ...['docker/redact.awk', 'activities/prompts/task.md', 'activities/prompts/continue.md'],
      ...['dist/cli/main.js', 'dist/workers/gateway.js', 'dist/workflow-bundle.js'],
    ]),
  );
  expect(packed.filter((file) => /\.ts$|^(?:test|scripts|examples|node_modules)\//.test(file))).toEqual([]);
});

test(
  'npx runs it, in a directory that holds nothing but the package',
  async () => {
    const { stdout } = await execa('npx', ['--no-install', 'signalbox', '--help'], { cwd: app, env: npmEnvironment() });
    expect(stdout).toMatch(/^Usage: signalbox /);
    const version = await signalbox(app, '--version');
    const manifest = JSON.parse(readFileSync(path.join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
    expect(version.stdout.trim()).toBe(manifest.version);
  },
  PATIENCE,
);

test(
  'a run with a command and with Codex is carried through by its own server, worker and gateway',
  async () => {
    world.config(
      'agent: { provider: command, command: "cat >/dev/null; echo command > 001.txt" }\n' +
        'checks: { doctor: "test -e 001.txt -o -e 002.txt" }\n',
    );
    world.task('001', 'files: { writes: [001.txt] }');
    world
      .task('002', 'files: { writes: [002.txt] }\nagent: { provider: codex }', '# Do it with Codex.')
      .commit('tasks');
    const started = await signalbox(world.repository, 'run', 'start', '--backend', 'local', '-o', 'json');
    world.noteWorkers(started.stderr);
    expect(started.stderr).toMatch(/No worker runs: starting one in the background/);
    const run = parseJson(started.stdout)?.result as RunDescription | undefined;
    expect(run).toMatchObject({
      status: 'completed',
      reason: null,
      tasks: { '001': { status: 'merged' }, '002': { status: 'merged' } },
    });
    expect(started.exitCode).toBe(0);
    expect(world.git('show', 'main:001.txt', 'main:002.txt')).toBe('command\ncodex\n');
    expect(world.git('status', '--porcelain')).toBe('');
  },
  PATIENCE,
);

/** Runs the installed command line as a process of its own. */
async function signalbox(cwd: string, ...args: string[]) {
  const env = { ...world.env, OPENAI_BASE_URL: model.baseUrl, OPENAI_API_KEY: 'scripted' };
  const bin = path.join(app, 'node_modules', '.bin', 'signalbox');
  return await execa(bin, args, { cwd, env, extendEnv: false, stdin: 'ignore', reject: false });
}

async function npm(cwd: string, ...args: string[]) {
  return await execa('npm', args, { cwd, env: npmEnvironment(), extendEnv: false });
}

/** The environment without what the npm that runs these tests says of itself: the place that it works in. */
function npmEnvironment(): Record<string, string | undefined> {
  const own = /^(?:npm_(?:config_local_prefix|package_|lifecycle_|command|node_execpath|execpath)|INIT_CWD)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)));
}

function packOutput(stdout: string): [{ filename: string; files: string[] }] {
  // Before the JSON stands what the build printed.
  const parsed = JSON.parse(stdout.slice(stdout.indexOf('[\n'))) as { filename: string; files: { path: string }[] }[];
  const [tarball] = parsed;
  expect(parsed).toHaveLength(1);
  return [{ filename: tarball?.filename ?? '', files: tarball?.files.map((file) => file.path) ?? [] }];
}
