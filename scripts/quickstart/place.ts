import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where a quickstart keeps everything: nothing of it is in the user's own `SIGNALBOX_HOME`. */
export interface Place {
  /** The checkout of Signalbox. */
  root: string;
  directory: string;
  /** Its `SIGNALBOX_HOME`. */
  home: string;
  /** The command that acts on the quickstart's repository; see {@link writeCommand}. */
  command: string;
}

/** The quickstart's place in a checkout of Signalbox. */
export function placeOf(root: string): Place {
  const directory = join(root, '.quickstart');
  return { root, directory, home: join(directory, 'home'), command: join(directory, 'signalbox') };
}

/**
 * What the environment must say for the quickstart's own server and home to be used, and for no other Temporal server
 * that the user has configured.
 */
export function placeEnvironment(place: Place, env: NodeJS.ProcessEnv): Record<string, string | undefined> {
  const configured = Object.keys(env).filter((name) => name.startsWith('TEMPORAL_'));
  const none = Object.fromEntries(configured.map((name) => [name, undefined]));
  return { ...none, TEMPORAL_CONFIG_FILE: join(place.directory, 'no-temporal.toml'), SIGNALBOX_HOME: place.home };
}

/** Writes a command that is `signalbox` for the quickstart's repository, with the environment that belongs to it. */
export function writeCommand(place: Place, repository: string, env: Record<string, string | undefined>): void {
  const variables = Object.entries(env).map(([name, value]) =>
    value === undefined ? `unset ${name}` : `export ${name}=${quote(value)}`,
  );
  const node = join(place.root, 'node_modules/.bin');
  const lines = [
    '#!/bin/sh',
    '# Written by "npm run quickstart": signalbox, for the repository and the server of the quickstart.',
    ...variables,
    `PATH=${quote(node)}:$PATH`,
    `exec node ${quote(join(place.root, 'cli/signalbox.js'))} -C ${quote(repository)} "$@"`,
  ];
  mkdirSync(place.directory, { recursive: true });
  writeFileSync(place.command, `${lines.join('\n')}\n`);
  chmodSync(place.command, 0o755);
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
