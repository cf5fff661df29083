import { createHash } from 'node:crypto';
import type { Config } from '../../core/config.ts';
import { SignalboxError } from '../../core/failures.ts';
import { matchesGlob, newGlobCaches } from '../../core/globs.ts';
import type { BareRepository } from '../git/bare-repository.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';

/** How dependencies are installed. */
export type Bootstrap = NonNullable<Config['checks']['bootstrap']>;

/** What a dependency snapshot is made from. */
export interface BootstrapInput {
  bare: BareRepository;
  /** The commit whose inputs count. */
  commit: string;
  bootstrap: Bootstrap;
  sandbox: Sandbox;
  /** The environment that the project lets its steps have (`sandbox.env`); the commands may heed it. */
  variables: Readonly<Record<string, string>>;
}

/**
 * The key of the snapshot that a commit needs, a SHA-256: commits that agree in it have the same dependencies. It covers
 * the image (or the host), commands, network, outputs, variables, and the contents of the inputs.
 *
 * @throws SignalboxError `config` if inputs are named and none of them is there: a misspelt one would never be noticed
 */
export async function bootstrapKey({ bare, commit, bootstrap, sandbox, variables }: BootstrapInput): Promise<string> {
  const { commands, network, inputs, outputs } = bootstrap;
  const [files, place] = await Promise.all([filesOf(bare, commit, inputs), sandbox.fingerprint(commands)]);
  if (inputs.length > 0 && files.length === 0) {
    const named = inputs.join(', ');
    throw new SignalboxError('config', `checks.bootstrap.inputs (${named}) match no file of ${commit.slice(0, 10)}`);
  }
  const content = [1, place, commands, network, outputs, Object.entries(variables).sort(), files];
  return createHash('sha256').update(JSON.stringify(content)).digest('hex');
}

/** The key of a snapshot that is for one tree only, although others have the same inputs. */
export function keyOfTree(key: string, tree: string): string {
  return createHash('sha256')
    .update(JSON.stringify([key, tree]))
    .digest('hex');
}

/** Mode, blob id and path of every file of a commit that one of the globs matches, in git's order. */
async function filesOf(bare: BareRepository, commit: string, globs: readonly string[]): Promise<string[]> {
  if (globs.length === 0) return [];
  const cache = newGlobCaches().exact;
  const { stdout } = await bare.git(['ls-tree', '-r', '-z', '--full-tree', commit]);
  const files = stdout.toString('utf8').split('\0').slice(0, -1);
  return files.filter((file) => {
    const name = file.slice(file.indexOf('\t') + 1);
    return globs.some((glob) => matchesGlob(glob, name, { cache }));
  });
}
