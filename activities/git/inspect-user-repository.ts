import { existsSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { CommandFailedError, SignalboxError } from '../../core/failures.ts';
import { unlessMissing } from '../system-errors.ts';
import { runGit } from './git-command.ts';
import type { UserRepository } from './user-repository.ts';

/**
 * Reads the repository that holds `directory`. One that belongs to somebody else is read where the user's git would.
 *
 * @throws SignalboxError `environment` when there is none, or none that this git may and can read
 */
export async function inspectUserRepository(directory: string): Promise<UserRepository> {
  if (!existsSync(directory))
    throw new SignalboxError('environment', `${directory} does not exist`, { hint: 'Check repository.path.' });
  if (/[\n\r]/.test(realpathSync(directory)))
    throw new SignalboxError('environment', `the path of ${JSON.stringify(directory)} holds a line break`, {
      hint: 'Rename that directory: git itself writes such paths line by line.',
    });
  const queries = ['--absolute-git-dir', '--git-common-dir', '--is-bare-repository', '--is-shallow-repository'];
  const answer = await runGit(['rev-parse', ...queries, '--show-object-format'], {
    cwd: directory,
    configuration: 'user',
  }).catch((error: unknown) => {
    throw error instanceof CommandFailedError ? unreadable(directory, error) : error;
  });
  const [gitDir = '', commonDir = '', bare = '', shallow = '', objectFormat = ''] = answer.stdout
    .toString()
    .split('\n');
  const common = realpathSync(path.resolve(directory, commonDir));
  const settings = await readSettings(common);
  const last = (key: string): string | undefined => settings.findLast(([name]) => name === key)?.[1];
  const remotes: Record<string, string> = {};
  for (const [key, value = ''] of settings) {
    const name = /^remote\.(.+)\.url$/.exec(key)?.[1];
    if (name !== undefined) remotes[name] ??= value;
  }
  const real = realpathSync(gitDir);
  const mainTree = await mainTreeOf(common, last, real === common ? directory : common);
  return {
    gitDir: real,
    commonDir: common,
    topLevel: bare === 'true' ? null : real === common ? mainTree : linkedTreeOf(real),
    mainTree,
    bare: bare === 'true',
    head: /^ref: refs\/heads\/(.+)$/m.exec(readFileSync(path.join(real, 'HEAD'), 'utf8'))?.[1] ?? null,
    objectFormat,
    shallow: shallow === 'true',
    partial: settings.some(([key]) => /^extensions\.partialclone$|^remote\..+\.promisor$/i.test(key)),
    grafted: /^[0-9a-f]/m.test(unlessMissing(() => readFileSync(path.join(common, 'info', 'grafts'), 'latin1')) ?? ''),
    refStorage: last('extensions.refstorage') ?? 'files',
    ignoreCase: last('core.ignorecase') === 'true',
    remotes,
  };
}

/** The settings of a repository and of its main work tree, in git's order; keys in lower case but for subsections. */
async function readSettings(commonDir: string): Promise<[key: string, value: string | undefined][]> {
  const read = async (name: string): Promise<[string, string | undefined][]> => {
    const args = ['config', '--file', path.join(commonDir, name), '--includes', '--null', '--list'];
    const { stdout } = await runGit(args, { cwd: commonDir, allowedExitCodes: [0, 1, 128] });
    const entries = stdout.toString().split('\0');
    return entries.map((entry) => entry.split(/\n(.*)/s) as [string, string | undefined]);
  };
  const shared = await read('config');
  const extended = shared.findLast(([key]) => key === 'extensions.worktreeconfig')?.[1] === 'true';
  return extended ? [...shared, ...(await read('config.worktree'))] : shared;
}

/** The main work tree of a repository, or `null` where it is bare. @param from where to ask git, if nothing else tells */
async function mainTreeOf(
  commonDir: string,
  last: (key: string) => string | undefined,
  from: string,
): Promise<string | null> {
  if (last('core.bare') === 'true') return null;
  const configured = last('core.worktree');
  if (configured !== undefined) {
    const tree = path.resolve(commonDir, configured);
    return existsSync(tree) ? realpathSync(tree) : null;
  }
  if (path.basename(commonDir) === '.git') return path.dirname(commonDir);
  // Made with --separate-git-dir: only the work tree knows where it is.
  const options = { cwd: from, configuration: 'user', allowedExitCodes: [0, 128] } as const;
  const { stdout, exitCode } = await runGit(['rev-parse', '--show-toplevel'], options);
  if (exitCode === 0) return realpathSync(stdout.toString().trimEnd());
  throw new SignalboxError('environment', `nothing tells where the main work tree of ${commonDir} is`, {
    hint: `Say it with "git --git-dir=${commonDir} config core.worktree DIRECTORY".`,
  });
}

function linkedTreeOf(gitDir: string): string {
  return path.dirname(realpathSync(path.resolve(gitDir, readFileSync(path.join(gitDir, 'gitdir'), 'utf8').trim())));
}

/** What git's refusal to read a repository means for a person. */
function unreadable(directory: string, cause: CommandFailedError): SignalboxError {
  const { stderr } = cause.facts;
  const failure = (what: string, hint: string): SignalboxError =>
    new SignalboxError('environment', what, { hint, cause });
  if (stderr.includes('not a git repository'))
    return failure(
      `${directory} is not in a git repository`,
      'Run "git init" there, or name another directory in repository.path.',
    );
  const owned = /dubious ownership in repository at '(.*)'/.exec(stderr)?.[1];
  if (owned !== undefined)
    return failure(
      `the repository in ${owned} belongs to another user, and what its configuration says would run as you`,
      `If you trust it: git config --global --add safe.directory ${owned}`,
    );
  const unknown =
    /unknown repository extensions? found:\s+(\S+)|unknown (?:ref storage format|repository format)/i.exec(stderr);
  if (unknown !== null && /refstorage|ref storage/i.test(unknown[0]))
    return failure(
      `the repository in ${directory} stores its refs as a reftable, which is not supported`,
      'Run "git refs migrate --ref-format=files" there, with the git that made it.',
    );
  return failure(
    `the repository in ${directory} cannot be read: ${stderr.trim()}`,
    'See that "git status" works there, with the git on the PATH of Signalbox.',
  );
}
