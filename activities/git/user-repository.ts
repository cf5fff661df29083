import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { SignalboxError } from '../../core/failures.ts';
import { readRef } from './refs.ts';

/** What Signalbox needs to know about the user's own repository. Paths are absolute and real. */
export interface UserRepository {
  /** The git directory of this checkout; in a linked worktree a directory below `commonDir/worktrees`. */
  gitDir: string;
  /** The git directory that all worktrees share: refs and objects are there. */
  commonDir: string;
  /** The top of the work tree, or `null` in a bare repository. */
  topLevel: string | null;
  /** The top of the main work tree, which a bare repository with linked ones has not. */
  mainTree: string | null;
  bare: boolean;
  /** The branch that is checked out, or `null` when `HEAD` is detached. */
  head: string | null;
  objectFormat: string;
  shallow: boolean;
  partial: boolean;
  /** Its history is changed by `info/grafts`. */
  grafted: boolean;
  refStorage: string;
  /** Names that differ only in case mean one file here, as git found out when the repository was made. */
  ignoreCase: boolean;
  /** Fetch URLs by name, with whatever credentials the configuration holds: never show or log them. */
  remotes: Record<string, string>;
}

/** @throws SignalboxError `environment` when the repository is of a kind that Signalbox cannot work with yet */
export function requireSupported(repository: UserRepository): void {
  const refuse = (what: string, hint: string): never => {
    throw new SignalboxError('environment', `${repository.commonDir} ${what}`, { hint });
  };
  if (repository.shallow) refuse('is a shallow clone, which is not supported', 'Run "git fetch --unshallow" there.');
  if (repository.partial)
    refuse('is a partial clone, whose missing objects cannot be copied', 'Make a full clone and use that one.');
  if (repository.grafted)
    refuse('has grafts, which hide a part of its history', 'Run "git replace --convert-graft-file" there.');
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
