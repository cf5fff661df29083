import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { signalboxProgram } from '../../cli/run-cli.ts';
import { CliWorld } from '../support/cli.ts';

const { commands, groups } = signalboxProgram();
let world: CliWorld;

beforeAll(() => {
  world = new CliWorld();
});
afterAll(() => world.remove());

describe('the command line', () => {
  test.each(commands.map((command) => [command.name]))(
    '`%s --help` shows what it does and how it is used',
    async (name) => {
      const { code, stdout, stderr } = await world.signalbox(...name.split(' '), '--help');
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toContain(`Usage: signalbox ${name}`);
      expect(stdout).toContain('Examples:');
      expect(stdout).toContain('-o, --output <format>');
    },
  );

  test('the help names every noun and every command without one', async () => {
    const { code, stdout } = await world.signalbox('--help');
    expect(code).toBe(0);
    for (const group of groups) expect(stdout).toMatch(new RegExp(`^  ${group.name} `, 'm'));
    for (const { name } of commands.filter((command) => !command.name.includes(' '))) {
      expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
    }
  });

  test.each([
    [['rnu', 'list'], /unknown command 'rnu'/, /run/],
    [['run', 'strat'], /unknown command 'strat'/, /start/],
    [['run', 'list', '--limt', '3'], /unknown option '--limt'/, /--limit/],
    [['run'], /needs a verb/, /run --help/],
    [[], /no command/, /--help/],
    [['run', 'describe', 'a', 'b'], /too many arguments/, /--help/],
    [['task', 'describe'], /missing required argument 'task'/, /--help/],
    [['run', 'start', '--max-parallel', '0'], /no whole number/, /--help/],
    [['run', 'start', '--max-parallel', '1.5'], /no whole number/, /--help/],
    [['run', 'start', '--backend', 'podman'], /docker, local/, /--help/],
    [['run', 'start', '--tasks', 'a,,b'], /empty item/, /--help/],
    [['worker', 'start', '--idle-exit', 'soon'], /no duration/, undefined],
    [['plan', 'start'], /--input/, /--help/],
    [['run', 'set'], /--max-parallel/, /"signalbox run set --help"/],
    [['task', 'set', '003', '--priority', 'high'], /no whole number/, /--help/],
    [['task', 'add'], /missing required argument 'file'/, /"signalbox task add --help"/],
    [['run', 'zzzzzz'], /unknown command 'zzzzzz'/, /"signalbox run --help"/],
    [['task', 'answer', '003', '--input', 'token'], /--input <name=value>': it is written like/, undefined],
    [['run', 'list', '-o', 'yaml'], /text, json/, /--help/],
  ])('%j is a usage error with a hint', async (argv, message, hint) => {
    const plain = await world.signalbox(...argv);
    expect(plain.code).toBe(2);
    expect(plain.stdout).toBe('');
    expect(plain.stderr).toMatch(message);
    if (hint !== undefined) expect(plain.stderr).toMatch(hint);
  });

  test.each([[['rnu']], [['run', 'list', '--limt']], [[]], [['task', 'logs']]])(
    '%j with -o json prints one error object and nothing else',
    async (argv) => {
      const { code, json, stderr } = await world.signalbox(...argv, '-o', 'json');
      expect({ code, stderr }).toEqual({ code: 2, stderr: '' });
      expect(json).toEqual({
        ok: false,
        error: { code: 'usage', message: expect.any(String), hint: expect.any(String) },
      });
    },
  );

  test('-o json before the command counts as well', async () => {
    const { json } = await world.signalbox('-o', 'json', 'run', 'list');
    expect(json).toMatchObject({ ok: false, error: { code: 'config' } });
  });

  test('the version is that of the package', async () => {
    expect((await world.signalbox('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
