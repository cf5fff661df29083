import { realpathSync } from 'node:fs';
import path from 'node:path';
import { SignalboxError } from '../../core/failures.ts';
import { identityProblem, identityText, type Identity } from '../../core/identity.ts';
import { runGit } from './git-command.ts';
import type { Signer } from './signed-commit.ts';
import type { UserRepository } from './user-repository.ts';
import { workTrees } from './worktrees.ts';

/** What the user's own git, in their repository, says of their commits. */
export interface UserGit {
  /** `user.name` and `user.email`; `null` if one is missing. */
  identity: Identity | null;
  /** `null` where their commits are not signed. */
  signer: Signer | null;
}

/** Settings that name programs which git would run to sign. */
const PROGRAMS = [
  'gpg.program',
  'gpg.openpgp.program',
  'gpg.x509.program',
  'gpg.ssh.program',
  'gpg.ssh.defaultkeycommand',
];

/** What git and the programs it asks to sign need of the environment: where settings and keys are, and who unlocked them. */
const ENVIRONMENT = ['HOME', 'XDG_CONFIG_HOME', 'XDG_RUNTIME_DIR', 'GNUPGHOME', 'SSH_AUTH_SOCK'];
const OWN_SETTINGS = ['GIT_CONFIG_GLOBAL', 'GIT_CONFIG_SYSTEM', 'GIT_CONFIG_NOSYSTEM'];

/**
 * Reads the user's own settings as their git would in their repository: system, global and local, with what those
 * include. What lies in a work tree of the repository does not count, since agents' work lands there. One process, which
 * only reads.
 *
 * @param env the environment that has the user's settings
 * @throws SignalboxError `environment` if a program that would sign lies in a work tree
 */
export async function readUserGit(
  user: UserRepository,
  env: Readonly<Record<string, string | undefined>>,
): Promise<UserGit> {
  const places = Object.fromEntries([...ENVIRONMENT, ...OWN_SETTINGS].map((name) => [name, env[name]]));
  const { stdout } = await runGit(['config', '--null', '--show-origin', '--list'], {
    gitDir: user.gitDir,
    env: places,
  });
  const landing = landingPlaces(user);
  const settings = new Map<string, string | null>();
  const fields = stdout.toString('utf8').split('\0');
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [origin = '', entry = ''] = fields.slice(at, at + 2);
    const file = /^file:(.+)$/s.exec(origin)?.[1];
    if (file === undefined || landing(path.resolve(user.gitDir, file))) continue;
    const [key = '', value = null] = entry.split(/\n(.*)/s, 2);
    settings.set(key, value);
  }
  const value = (key: string): string | undefined => settings.get(key) ?? undefined;
  const named = { name: value('user.name') ?? '', email: value('user.email') ?? '' };
  const identity = identityProblem(identityText(named)) === null ? named : null;
  if (!isOn(settings.get('commit.gpgsign'))) return { identity, signer: null };
  const config: Record<string, string> = {};
  for (const key of ['gpg.format', 'user.signingkey', ...PROGRAMS]) {
    const set = value(key);
    if (set === undefined) continue;
    if (PROGRAMS.includes(key)) requireOutside(key, set, landing, env['HOME']);
    config[key] = set;
  }
  // Without a key of their own, git looks for that of the committer, who may be somebody else here.
  if (config['user.signingkey'] === undefined && config['gpg.format'] !== 'ssh' && identity !== null)
    config['user.signingkey'] = identityText(identity);
  return { identity, signer: { config, env: Object.fromEntries(ENVIRONMENT.map((name) => [name, env[name]])) } };
}

/** As git reads a boolean; a key without a value is true. */
function isOn(value: string | null | undefined): boolean {
  return value === null || (value !== undefined && /^(?:true|yes|on|0*[1-9]\d*)$/i.test(value));
}

/** Tells whether a file lies in a work tree of the repository, where the work of agents lands, and not in its git directory. */
export function landingPlaces(user: UserRepository): (file: string) => boolean {
  const real = (file: string): string => {
    try {
      return realpathSync(file);
    } catch {
      return path.resolve(file);
    }
  };
  const trees = workTrees(user).flatMap(({ topLevel }) => (topLevel === null ? [] : [real(topLevel)]));
  const gits = [user.gitDir, user.commonDir].map(real);
  const inside = (directory: string, file: string): boolean => file.startsWith(`${directory}${path.sep}`);
  return (file) => {
    // Whoever may write to where a link lies may make it lead elsewhere.
    const names = [path.resolve(file), real(file)];
    return names.some(
      (name) => trees.some((tree) => inside(tree, name)) && !gits.some((directory) => inside(directory, name)),
    );
  };
}

function requireOutside(
  key: string,
  value: string,
  landing: (file: string) => boolean,
  home: string | undefined,
): void {
  const [program = ''] = value.trim().split(/\s+/);
  const file = program.startsWith('~/') ? path.join(home ?? '/', program.slice(2)) : program;
  if (!file.includes('/') || (path.isAbsolute(file) && !landing(file))) return;
  const what = path.isAbsolute(file) ? 'in the repository, where the work of agents lands' : 'by a relative path';
  throw new SignalboxError('environment', `commits cannot be signed: ${key} names a program ${what}`, {
    hint: 'Name it by an absolute path outside of the repository, or set merge.sign: off.',
  });
}
