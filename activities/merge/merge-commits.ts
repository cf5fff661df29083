import { createHash } from 'node:crypto';
import { coAuthorOf } from '../../core/co-author.ts';
import { mergeSettings, type Config } from '../../core/config.ts';
import { SignalboxError } from '../../core/failures.ts';
import { parseIdentity, type Identity } from '../../core/identity.ts';
import { runWorkflowId } from '../../core/ids.ts';
import { mergeMessage, type MergeCheck, type MergeFacts, type MergeStyle } from '../../core/merge-message.ts';
import type { RunRef } from '../../core/run-ref.ts';
import type { TrainMember } from '../../core/train.ts';
import { checksOf, type TaskChecks } from '../attempt/task-checks.ts';
import type { CommitPolicy } from '../git/candidate.ts';
import { readUserGit, type UserGit } from '../git/user-git.ts';
import type { UserRepository } from '../git/user-repository.ts';
import type { ProjectHost } from '../project-host.ts';
import { RecentMap } from '../recent-map.ts';

/** What the commit that merges a member is like. */
export interface MergeCommit extends CommitPolicy {
  message: string;
  style: MergeStyle;
}

/** For how long the user's git settings are taken to be what they were, in milliseconds. */
const SETTLED = 10_000;

/** How many runs' policies are remembered. */
const REMEMBERED = 100;

/** Tells what the commits are like that merge tasks. A run's settings are read once for all that is merged in a while. */
export class MergeCommits {
  readonly #host: ProjectHost;
  readonly #policies = new RecentMap<string, { policy: Promise<CommitPolicy>; readAt: number }>(REMEMBERED);

  constructor(host: ProjectHost) {
    this.#host = host;
  }

  /**
   * Who a run's commits are by, and how they are signed.
   *
   * @throws SignalboxError as {@link commitPolicy}
   */
  async policy(run: RunRef): Promise<CommitPolicy> {
    const key = runWorkflowId(run.project, run.run);
    const known = this.#policies.get(key);
    if (known !== undefined && Date.now() - known.readAt < SETTLED) return await known.policy;
    const policy = this.#readPolicy(run);
    this.#policies.set(key, { policy, readAt: Date.now() });
    policy.catch(() => this.#policies.delete(key));
    return await policy;
  }

  async #readPolicy(run: RunRef): Promise<CommitPolicy> {
    const { config } = await this.#host.manifests.manifest(run);
    return await commitPolicy(mergeSettings(config), await this.#host.user(run.repository), this.#host.env);
  }

  /**
   * The commit that merges a member. Its message lists the checks that had to pass for it to land: it must land only
   * where they have.
   *
   * @param validators who judged the work, and how
   * @throws SignalboxError as {@link commitPolicy}
   */
  async of(
    { run, task: id, name, attempt }: Pick<TrainMember, 'run' | 'task' | 'name' | 'attempt'>,
    validators: NonNullable<MergeFacts['validators']> = [],
  ): Promise<MergeCommit> {
    const { manifest, task } = await this.#host.manifests.task(run, id);
    const { style } = mergeSettings(manifest.config);
    const message = mergeMessage({
      project: run.project,
      run: run.run,
      task: id,
      attempt,
      digest: task.digest,
      name,
      description: task.manifest.description,
      style,
      checks: provingChecks(checksOf(manifest, task)),
      validators,
      coAuthor: coAuthorOf(manifest.config, task.manifest),
    });
    return { ...(await this.policy(run)), message, style };
  }
}

/**
 * Who commits are by, and how they are signed, by the settings of `merge`.
 *
 * @param env the environment that has the user's git configuration
 * @throws SignalboxError `config` if they are to be by the user, whom git does not know; `environment` as
 *   {@link readUserGit}
 */
export async function commitPolicy(
  settings: Config['merge'],
  user: UserRepository,
  env: Readonly<Record<string, string | undefined>>,
): Promise<CommitPolicy & { committer: Identity }> {
  const { author, committer, sign } = settings;
  const asked = sign === 'auto' || author === 'user' || committer === 'user';
  const git: UserGit = asked ? await readUserGit(user, env) : { identity: null, signer: null };
  const who = (key: 'author' | 'committer'): Identity => {
    if (settings[key] !== 'user') return parseIdentity(settings[key]);
    if (git.identity !== null) return git.identity;
    throw new SignalboxError('config', `merge.${key} is user, and git has no user.name and user.email`, {
      hint: 'Set both with "git config --global", or write "Name <email>".',
    });
  };
  return { author: who('author'), committer: who('committer'), signer: sign === 'auto' ? git.signer : null };
}

/** The checks that a task's work passes on its way: those of its verdict, and those of the merged tree. */
function provingChecks(checks: TaskChecks): MergeCheck[] {
  return (['lint', 'doctor', 'integration'] as const).flatMap((name) => {
    const commands = checks[name].map(({ command }) => command);
    if (commands.length === 0) return [];
    // Short enough for a line, and anybody can make it again. The commands themselves may hold what nobody should see.
    return [{ name, digest: createHash('sha256').update(JSON.stringify(commands)).digest('hex').slice(0, 16) }];
  });
}
