import { execa } from 'execa';

/** The version of the `temporal` CLI that is downloaded or built when the machine has none that will do. */
export const PINNED_CLI_VERSION = '1.5.1';

const OLDEST_CLI = [1, 5, 0];
const OLDEST_SERVER = [1, 29, 0];

/** What `temporal --version` says. */
export interface CliVersion {
  /** The CLI's own version; `0.0.0-DEV` for one built without naming a version. */
  cli: string;
  /** The version of the server inside it, or `null` when it does not say. */
  server: string | null;
}

/** Reads the output of `temporal --version`, or returns `null` if it is no such output. */
export function parseCliVersion(output: string): CliVersion | null {
  const cli = /^temporal version (\S+)/m.exec(output)?.[1];
  if (cli === undefined) return null;
  return { cli, server: /\(Server ([^,)\s]+)/.exec(output)?.[1] ?? null };
}

/** Whether a CLI has all that the embedded server uses. One without a version is judged by the server inside it. */
export function isUsableCli(version: CliVersion): boolean {
  if (version.cli.startsWith('0.0.0')) return version.server !== null && isAtLeast(version.server, OLDEST_SERVER);
  return isAtLeast(version.cli, OLDEST_CLI);
}

/** Asks an executable for its version; `null` when it cannot be run or is something else. */
export async function readCliVersion(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<CliVersion | null> {
  const { stdout, failed } = await execa(file, ['--version'], {
    env: { PATH: env['PATH'], HOME: env['HOME'] },
    extendEnv: false,
    reject: false,
    timeout: 15_000,
  });
  return failed ? null : parseCliVersion(stdout);
}

function isAtLeast(version: string, oldest: readonly number[]): boolean {
  const parts = version.replace(/^v/, '').split(/[.+-]/).map(Number);
  for (const [index, least] of oldest.entries()) {
    const part = parts[index] ?? 0;
    if (!Number.isInteger(part)) return false;
    if (part !== least) return part > least;
  }
  return true;
}
