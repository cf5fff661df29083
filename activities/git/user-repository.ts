import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { CommandFailedError, SignalboxError } from '../../core/failures.ts';
import { runGit } from './git-command.ts';
import { readRef } from './refs.ts';

/** What Signalbox needs to know about the user's own repository. Paths are absolute and real. */
export interface UserRepository {
  /** The git directory of this checkout; in a linked worktree a directory below `commonDir/worktrees`. */
  gitDir: string;
  /** The git directory that all worktrees share: refs and objects are there. */
  commonDir: string;
  /** The top of the work tree, or `null` in a bare repository. */
  topLevel: string | null;
  bare: boolean;
  /** The branch that is checked out, or `null` when `HEAD` is detached. */
  head: string | null;
  objectFormat: string;
  shallow: boolean;
  partial: boolean;
  refStorage: string;
  /** Names that differ only in case mean one file here, as git found out when the repository was made. */
  ignoreCase: boolean;
  /** Fetch URLs by name, with whatever credentials the configuration holds: never show or log them. */
  remotes: Record<string, string>;
}

/** Reads the repository that holds `directory`. @throws SignalboxError `environment` when there is none, or no such directory */
export async function inspectUserRepository(directory: string): Promise<UserRepository> {
  if (!existsSync(directory))
    throw new SignalboxError('environment', `${directory} does not exist`, { hint: 'Check repository.path.' });
  const trust = { 'safe.directory': '*' };
  const queries = ['--absolute-git-dir', '--git-common-dir', '--is-bare-repository', '--is-shallow-repository'];
  const answer = await runGit(['rev-parse', ...queries, '--show-object-format'], {
    cwd: directory,
    config: trust,
  }).catch((error: unknown) => {
    if (!(error instanceof CommandFailedError)) throw error;
    const hint = `Run "git init" there, or name another directory in repository.path.`;
    if (error.facts.stderr.includes('not a git repository'))
      throw new SignalboxError('environment', `${directory} is not in a git repository`, { hint, cause: error });
    throw new SignalboxError(
      'environment',
      `the repository in ${directory} cannot be read: ${error.facts.stderr.trim()}`,
      {
        cause: error,
      },
    );
  });
  const [gitDir = '', commonDir = '', bare = '', shallow = '', objectFormat = ''] = answer.stdout
    .toString()
    .split('\n');
  const common = realpathSync(path.resolve(directory, commonDir));
  const config = await runGit(['config', '--file', path.join(common, 'config'), '--includes', '--null', '--list'], {
    cwd: common,
    allowedExitCodes: [0, 1, 128],
  });
  const settings = config.stdout
    .toString()
    .split('\0')
    .map((entry) => entry.split(/\n(.*)/s) as [string, string | undefined]);
  const remotes: Record<string, string> = {};
  for (const [key, value = ''] of settings) {
    const name = /^remote\.(.+)\.url$/.exec(key)?.[1];
    if (name !== undefined) remotes[name] ??= value;
  }
  const real = realpathSync(gitDir);
  return {
    gitDir: real,
    commonDir: common,
    topLevel: bare === 'true' ? null : topLevelOf(real, common, settings),
    bare: bare === 'true',
    head: /^ref: refs\/heads\/(.+)$/m.exec(readFileSync(path.join(real, 'HEAD'), 'utf8'))?.[1] ?? null,
    objectFormat,
    shallow: shallow === 'true',
    partial: settings.some(([key]) => /^extensions\.partialclone$|^remote\..+\.promisor$/i.test(key)),
    refStorage: settings.find(([key]) => key === 'extensions.refstorage')?.[1] ?? 'files',
    ignoreCase: settings.findLast(([key]) => key === 'core.ignorecase')?.[1] === 'true',
    remotes,
  };
}

function topLevelOf(
  gitDir: string,
  commonDir: string,
  settings: readonly (readonly [string, string | undefined])[],
): string {
  const link = path.join(gitDir, 'gitdir');
  if (gitDir !== commonDir && existsSync(link)) return path.dirname(realpathSync(readFileSync(link, 'utf8').trim()));
  const configured = settings.findLast(([key]) => key === 'core.worktree')?.[1];
  return configured === undefined ? path.dirname(gitDir) : realpathSync(path.resolve(gitDir, configured));
}

/** @throws SignalboxError `environment` when the repository is of a kind that Signalbox cannot work with yet */
export function requireSupported(repository: UserRepository): void {
  const refuse = (what: string, hint: string): never => {
    throw new SignalboxError('environment', `${repository.commonDir} ${what}`, { hint });
  };
  if (repository.shallow) refuse('is a shallow clone, which is not supported', 'Run "git fetch --unshallow" there.');
  if (repository.partial)
    refuse('is a partial clone, whose missing objects cannot be copied', 'Make a full clone and use that one.');
  if (repository.objectFormat !== 'sha1')
    refuse(`uses ${repository.objectFormat} object ids, which are not supported`, 'Use a repository with sha1 ids.');
  if (repository.refStorage !== 'files')
    refuse(
      `stores its refs as ${repository.refStorage}, which is not supported`,
      'Run "git refs migrate --ref-format=files".',
    );
}

/**
 * The commit at the tip of a local branch; no process.
 *
 * @throws SignalboxError `config` when the name cannot be a branch, `environment` when there is no such branch or it has
 *   no commit yet
 */
export function branchTip(repository: UserRepository, branch: string): string {
  requireBranchName(branch);
  const tip = readRef(repository.commonDir, `refs/heads/${branch}`);
  if (tip !== null) return tip;
  if (repository.head === branch)
    throw new SignalboxError('environment', `branch ${branch} has no commit yet`, {
      hint: 'Make a first commit on it.',
    });
  throw new SignalboxError('environment', `there is no branch ${branch} in ${repository.commonDir}`, {
    hint: `Create it ("git branch ${branch}"), or set repository.integration_branch.`,
  });
}

/** @throws SignalboxError `config` when git would refuse the name for a branch, or take it for an option */
export function requireBranchName(branch: string): void {
  const refuse = (why: string): never => {
    throw new SignalboxError('config', `${JSON.stringify(branch.slice(0, 80))} is no branch name: ${why}`);
  };
  if (branch === '' || branch === 'HEAD' || branch === '@') refuse('git reserves it');
  if (branch.startsWith('-')) refuse('it starts with "-", like an option');
  if (branch.length > 200) refuse('it is too long');
  // eslint-disable-next-line no-control-regex -- these are the very characters that git refuses
  if (/[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|^\/|\/$|\.$/.test(branch))
    refuse('it holds what git does not allow in a ref');
  if (branch.split('/').some((part) => part.startsWith('.') || part.endsWith('.lock')))
    refuse('a part of it starts with "." or ends in ".lock"');
}

/** A remote's URL without credentials and the spelling differences that name the same place. */
export function normaliseRemoteUrl(url: string): string {
  const scp = /^(?:[^@/]+@)?([^:/]+):(?!\/\/)(.+)$/.exec(url);
  let text = scp === null ? url.trim() : `ssh://${scp[1] ?? ''}/${scp[2] ?? ''}`;
  text = text.replace(/^([a-z+]+:\/\/)(?:[^/]*@)/i, '$1').replace(/[?#].*$/, '');
  const parts = /^[a-z+]+:\/\/([^/]*)(\/.*)?$/i.exec(text);
  if (parts !== null && !/^file:/i.test(text)) {
    const host = (parts[1] ?? '').toLowerCase().replace(/:(?:22|80|443|9418)$/, '');
    text = `${host}/${(parts[2] ?? '').replace(/^\/+/, '')}`;
  }
  return text.replace(/\/+$/, '').replace(/\.git$/i, '');
}

/**
 * Names a repository the same on every host that works on the same remote: 16 hex digits of a hash of the remote's URL
 * without credentials, or, without a remote, of the host and the common git directory.
 */
export function repositoryIdentity(facts: { hostId: string; commonDir: string; remoteUrl: string | null }): string {
  const text =
    facts.remoteUrl === null
      ? `host\0${facts.hostId}\0${realpathSync(facts.commonDir)}`
      : `remote\0${normaliseRemoteUrl(facts.remoteUrl)}`;
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
