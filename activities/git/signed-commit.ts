import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CommandFailedError } from '../../core/failures.ts';
import { OUR_IDENTITY } from '../../core/identity.ts';
import { KeyedMutex } from '../keyed-mutex.ts';
import { diskFailure, unlessMissing } from '../system-errors.ts';
import { BareRepository } from './bare-repository.ts';
import { runGit } from './git-command.ts';
import { signingFailure, askForReason } from './signing-failure.ts';
import { commitContent, commitMessage, type CommitDraft } from './objects.ts';

/** How a user's git signs commits. */
export interface Signer {
  /** Their settings of format, key and programs. */
  config: Readonly<Record<string, string>>;
  /** Where their keys are, and the agents that unlocked them. */
  env: Readonly<Record<string, string | undefined>>;
}

/** How long a key may take, in milliseconds: a chip may want to be touched, but nobody may be there to type. */
const PATIENCE = 30_000;

/** Attempts that start at the same time may need the same commit. */
const signing = new KeyedMutex();

const EMPTY_TREE = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';

/** Where the ids of signed commits are kept, in a bare repository. */
export function signedDirectory(gitDir: string): string {
  return path.join(gitDir, 'signed');
}

/**
 * Writes a commit with a signature, and returns its id. A signature is another one each time; so the id is kept, and
 * the same arguments give the same id for as long as {@link signedDirectory} is there.
 *
 * @throws SignalboxError `environment` if it cannot be signed, as when the key waits for its passphrase
 */
export async function writeSignedCommit(
  bare: BareRepository,
  commit: CommitDraft,
  signer: Signer,
  signal?: AbortSignal,
): Promise<string> {
  const key = createHash('sha256').update(JSON.stringify(signer.config)).update(commitContent(commit)).digest('hex');
  const kept = path.join(signedDirectory(bare.gitDir), key);
  return await signing.run(kept, async () => {
    const before = unlessMissing(() => readFileSync(kept, 'utf8'));
    if (before !== null && bare.freshCommit(before) !== null) return before;
    const id = await commitTree(bare.gitDir, commit, signer, signal);
    const draft = `${kept}.${randomUUID().slice(0, 8)}`;
    try {
      mkdirSync(path.dirname(kept), { recursive: true });
      writeFileSync(draft, id);
      renameSync(draft, kept);
    } catch (error) {
      throw diskFailure(error) ?? error;
    }
    return id;
  });
}

/**
 * Signs something, and leaves nothing behind.
 *
 * @throws SignalboxError `environment` if a commit could not be signed now
 */
export async function trySigner(signer: Signer): Promise<void> {
  const directory = mkdtempSync(path.join(tmpdir(), 'signalbox-sign-'));
  const who = { ...OUR_IDENTITY, time: 0 };
  const commit = { tree: EMPTY_TREE, parents: [], message: 'May it be signed?', author: who, committer: who };
  try {
    // Not in the user's repository, whose settings are taken with a choice.
    const { gitDir } = await BareRepository.open(path.join(directory, 'try.git'));
    await commitTree(gitDir, commit, signer);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function commitTree(gitDir: string, commit: CommitDraft, signer: Signer, signal?: AbortSignal): Promise<string> {
  const { author, committer } = commit;
  const timeout = AbortSignal.timeout(PATIENCE);
  try {
    const { stdout } = await runGit(
      ['commit-tree', '-S', ...commit.parents.flatMap((parent) => ['-p', parent]), commit.tree],
      {
        gitDir,
        config: signer.config,
        input: commitMessage(commit),
        ownSession: true,
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
        env: {
          ...signer.env,
          SSH_ASKPASS_REQUIRE: 'never',
          GIT_AUTHOR_NAME: author.name,
          GIT_AUTHOR_EMAIL: author.email,
          GIT_AUTHOR_DATE: `@${author.time} +0000`,
          GIT_COMMITTER_NAME: committer.name,
          GIT_COMMITTER_EMAIL: committer.email,
          GIT_COMMITTER_DATE: `@${committer.time} +0000`,
        },
      },
    );
    return stdout.toString().trim();
  } catch (error) {
    if (timeout.aborted && signal?.aborted !== true) throw signingFailure('the key was not unlocked in time', error);
    if (error instanceof CommandFailedError)
      throw signingFailure(await askForReason(error.facts.stderr, signer, committer), error);
    throw error;
  }
}
