import type { Command } from './command.ts';
import type { Program } from './program.ts';

/** The reference of all commands in Markdown, made of the same data as the parser and the help. */
export function commandReference({ commands, groups }: Pick<Program, 'commands' | 'groups'>): string {
  const shown = commands.filter((command) => !command.hidden);
  const alone = shown.filter((command) => !command.name.includes(' '));
  const sections = groups.map(({ name, summary }) => ({
    title: `signalbox ${name}: ${summary}`,
    commands: shown.filter((command) => command.name.startsWith(`${name} `)),
  }));
  return [{ title: 'Setting up and cleaning up', commands: alone }, ...sections]
    .filter((section) => section.commands.length > 0)
    .map((section) => [`## ${section.title}`, ...section.commands.map(commandSection)].join('\n\n'))
    .join('\n\n');
}

function commandSection(command: Command): string {
  const positional = Object.values(command.arguments);
  const usage = ['signalbox', command.name, ...positional.map((argument) => argument.name), '[options]'].join(' ');
  const options = Object.values(command.options).filter((option) => option.hidden !== true);
  const rows = [
    ...positional.map(({ name, help }) => [name, help]),
    ...options.map(({ flags, help, choices }) => [
      flags,
      choices === undefined ? help : `${help}: ${choices.join(' or ')}`,
    ]),
  ];
  return [
    `### \`${usage}\``,
    `${command.summary}.${command.description === undefined ? '' : ` ${command.description}`}`,
    ...(rows.length === 0
      ? []
      : [['| | |', '|---|---|', ...rows.map(([name, help]) => `| \`${name ?? ''}\` | ${help ?? ''} |`)].join('\n')]),
    ['```sh', ...command.examples.map(({ command: line, help }) => `${line}  # ${help}`), '```'].join('\n'),
  ].join('\n\n');
}
