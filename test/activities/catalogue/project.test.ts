import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadProject, projectIdOf } from '../../../activities/catalogue/project.ts';
import { packageRoot } from '../../../activities/package-root.ts';
import { identifierProblem } from '../../../core/ids.ts';
import { ConfigError } from '../../../core/problems.ts';
import fc from 'fast-check';

let root = '';

beforeEach(() => {
  root = realpathSync(mkdtempSync(path.join(tmpdir(), 'signalbox-project-')));
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

function write(text: string | Buffer): void {
  mkdirSync(path.join(root, '.signalbox'), { recursive: true });
  writeFileSync(path.join(root, '.signalbox/config.yaml'), text);
}

function messageOf(env: Record<string, string> = {}): string {
  try {
    loadProject(root, { env });
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  throw new Error('the configuration was taken');
}

describe('loadProject', () => {
  test('applies every default to an empty file, and names the project after its directory', () => {
    write('');
    const { config, repository, tasks } = loadProject(root);
    expect(config).toMatchObject({
      version: 1,
      project: projectIdOf(root),
      repository: { path: '.', integration_branch: 'main', task_branch_prefix: 'signalbox/' },
      run: { max_parallel: 4, attempts: 3, turns: 8, on_task_failure: 'continue' },
      agent: { provider: 'codex' },
      planner: { provider: 'codex' },
      checks: { lint: [], doctor: [], timeout: 900_000, canary: { mode: 'off', variable: 'SIGNALBOX_CANARY' } },
      scope: { mode: 'warn' },
      validators: { tests: { mode: 'off' } },
      sandbox: { network: 'gateway', env: [] },
    });
    expect(repository).toBe(root);
    expect(tasks).toBe(path.join(root, '.signalbox/tasks'));
  });

  test('finds the file from a directory below', () => {
    write('project: mine');
    const below = path.join(root, 'src/deep');
    mkdirSync(below, { recursive: true });
    expect(loadProject(below)).toMatchObject({ root, config: { project: 'mine' } });
  });

  test('takes every key of the reference', () => {
    write(`
version: 1
project: shop
repository: { path: ., integration_branch: trunk, task_branch_prefix: sb/, remote: { name: origin, push: pull_request } }
tasks: { path: plan/tasks }
run: { max_parallel: 2, attempts: 1, turns: 3, on_task_failure: stop }
agent: { provider: command, command: "my-agent --quiet", model: m, reasoning_effort: high }
planner: { provider: anthropic, model: m }
checks:
  bootstrap: { commands: npm ci, inputs: [package-lock.json], outputs: [node_modules], network: none }
  lint: npm run lint
  doctor: [npm test, npm run types]
  integration: []
  timeout: 1h30m
  canary: { mode: env, variable: CANARY }
resources: [{ name: db, paths: ["migrations/**"], description: The database. }]
scope: { mode: block }
validators: { tests: { mode: block, provider: openai, model: m } }
limits: { task_time: 1h, silence: 90s, tokens_per_task: 100000, cost_per_run: 2.5, mode: block }
prices: { gpt-5-codex: { input: 1.25, cached_input: 0.125, output: 10 } }
sandbox:
  { backend: docker, dockerfile: D, build_context: ., user: "1000:1000", network: none, memory: 2GiB, cpus: 1.5, pids: 100, runtime: runsc, env: [CI] }
`);
    expect(loadProject(root).config).toMatchObject({
      checks: { lint: ['npm run lint'], doctor: ['npm test', 'npm run types'], integration: [], timeout: 5_400_000 },
      limits: { silence: 90_000 },
      sandbox: { memory: 2 * 1024 ** 3, cpus: 1.5 },
    });
  });

  test('tells everything that is wrong, with its place and what was probably meant', () => {
    write(`version: 2
projct: foo
repository:
  integration_branch: "a b"
run:
  max_paralel: 4
  attempts: four
  turns: 0
  on_task_failure: continu
agent:
  provider: command
checks:
  doctor: 5
  timeout: 15 minutes
  lint: ["npm run \${LINTER}", 7, ""]
resources:
  - name: db
    paths: []
  - paths: ["src/**.ts"]
    descripton: x
limits: { cost_per_run: -1, silence: 0s }
sandbox:
  memory: 512MB
  env: [CI, "A B"]
  network:
prices: { m: { input: 1 } }
`);
    expect(messageOf()).toBe(`23 problems in the configuration:
  .signalbox/config.yaml:1:10  version must be 1, not 2
  .signalbox/config.yaml:2:1  unknown key "projct"; did you mean "project"?
  .signalbox/config.yaml:4:23  repository.integration_branch: "a b" must not hold " "
  .signalbox/config.yaml:6:3  unknown key "max_paralel" in run; did you mean "max_parallel"?
  .signalbox/config.yaml:7:13  run.attempts must be a number, not the text "four"
  .signalbox/config.yaml:8:10  run.turns must be at least 1, not 0
  .signalbox/config.yaml:9:20  run.on_task_failure must be one of continue, stop, not the text "continu"; did you mean "continue"?
  .signalbox/config.yaml:11:3  agent.command must be set for provider command
  .signalbox/config.yaml:13:11  checks.doctor must be a command line, or a list of command lines, not 5
  .signalbox/config.yaml:14:12  checks.timeout must be a duration such as 90s, 15m, 2h or 1h30m, not the text "15 minutes"
  .signalbox/config.yaml:15:19  the environment variable LINTER is not set; set it, or write $\${LINTER} for the text itself
  .signalbox/config.yaml:15:31  checks.lint[1] must be a text, not 7; put it in quotes
  .signalbox/config.yaml:15:34  checks.lint[2] must not be empty
  .signalbox/config.yaml:18:12  resources[0].paths must name at least one path
  .signalbox/config.yaml:19:5  resources[1].name must be set
  .signalbox/config.yaml:19:13  resources[1].paths[0]: glob "src/**.ts": "**" must stand alone between slashes, as in "src/**/*.ts"; elsewhere write "*"
  .signalbox/config.yaml:20:5  unknown key "descripton" in resources[1]; did you mean "description"?
  .signalbox/config.yaml:21:25  limits.cost_per_run must be at least 0, not -1
  .signalbox/config.yaml:21:38  limits.silence must be longer than 0s, and shorter than 200,000 years
  .signalbox/config.yaml:23:11  sandbox.memory must be a size such as 512MiB or 2GiB, not the text "512MB"
  .signalbox/config.yaml:24:13  sandbox.env[1] must be the name of an environment variable, not the text "A B"
  .signalbox/config.yaml:25:3  sandbox.network must be one of gateway, none, bridge, not nothing
  .signalbox/config.yaml:26:14  prices.m.output must be set`);
  });

  test.each([
    ['run: [', '1:7  Flow sequence in block collection must be sufficiently indented and end with a ]'],
    ['run: {}\nrun: {}', '2:1  Map keys must be unique'],
    ['run: &a\n  turns: *b', '2:10  there is no anchor &b before this alias'],
    ['project: !secret x', '1:10  Unresolved tag: !secret'],
    ['a: 1\n---\nb: 2', '2:1  a second YAML document starts here'],
    ['- a', '1:1  the file must be a mapping of keys to values, not a list'],
    ['__proto__: { version: 1 }', '1:1  unknown key "__proto__"; the keys are'],
    ['project: Shop', '1:10  project: project id "Shop" may hold only lower-case letters'],
    ['project: ../x', '1:10  project: project id "../x" may hold only lower-case letters'],
    [`project: ${'x'.repeat(300)}`, '1:10  project: project id "xxx'],
    [
      'resources: [{name: db, paths: [a]}, {name: DB, paths: [b]}]',
      '1:44  resources[1].name: "DB" is already the name',
    ],
    [Buffer.from([0x70, 0xff, 0xfe]), '1:1  is not UTF-8 text'],
    [Buffer.alloc(1024 * 1024 + 1, '#'), '1:1  has 1048577 bytes; at most 1048576 are allowed'],
  ])('refuses %j', (text, expected) => {
    write(text);
    expect(messageOf()).toContain(`.signalbox/config.yaml:${expected}`);
  });

  test('keeps places right with CRLF and a byte order mark', () => {
    write('\ufeffversion: 1\r\nrun:\r\n  turns: x\r\n');
    expect(messageOf()).toContain('.signalbox/config.yaml:3:10  run.turns must be');
  });

  test('says where it looked when there is no file, and how to write one', () => {
    expect(() => loadProject(root)).toThrow(
      expect.objectContaining({
        code: 'config',
        message: `there is no .signalbox/config.yaml in ${root} or above`,
        hint: 'Write one with: signalbox init',
      }),
    );
  });
});

describe('variables', () => {
  test('are replaced in texts, also several; an empty value counts; the escape stays', () => {
    write('checks: { doctor: "${A}/${B}${EMPTY} $${C} $D ${A}" }\nproject: "${A}"');
    const { config } = loadProject(root, { env: { A: 'one', B: 'two', EMPTY: '' } });
    expect(config.checks.doctor).toEqual(['one/two ${C} $D one']);
    expect(config.project).toBe('one');
  });

  test('in a value are not looked at again, and keys are left alone', () => {
    write('checks: { doctor: "${A}" }');
    expect(loadProject(root, { env: { A: '${B} # "x"\n' } }).config.checks.doctor).toEqual(['${B} # "x"\n']);
    write('"${A}": 1');
    expect(messageOf({ A: 'project' })).toContain('unknown key "${A}"');
  });

  test('that are unset, or no variables, are each told at their place', () => {
    write('checks:\n  doctor: "a ${X} ${X:-y} ${"\n  lint: |\n    one\n    ${Y}\n');
    expect(messageOf()).toBe(`4 problems in the configuration:
  .signalbox/config.yaml:2:14  the environment variable X is not set; set it, or write $\${X} for the text itself
  .signalbox/config.yaml:2:19  \${X:-y} is no variable; write \${NAME}, or $\${ for the text itself
  .signalbox/config.yaml:2:27  \${ is no variable; write \${NAME}, or $\${ for the text itself
  .signalbox/config.yaml:5:5  the environment variable Y is not set; set it, or write $\${Y} for the text itself`);
  });
});

test('a project id made of a directory is always an identifier', () => {
  expect(projectIdOf('/home/me/My Shop (2)')).toBe('my-shop-2');
  expect(projectIdOf('/x/Façade.lock')).toBe('facade-lock');
  expect(projectIdOf('/')).toBe('project');
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('a', '.', '-', 'lock', 'É') })), (name) => {
      expect(identifierProblem('project', projectIdOf(`/x/${name}`))).toBeNull();
    }),
  );
});

test('the reference page and the JSON Schemas are up to date', () => {
  const script = path.join(packageRoot(), 'scripts/generate-docs.ts');
  expect(execFileSync(process.execPath, [script, '--check'], { encoding: 'utf8' })).toBe('');
});
