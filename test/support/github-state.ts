import { execFileSync } from 'node:child_process';
import type { components } from '@octokit/openapi-types';

type Schemas = components['schemas'];

/** What is told of a request. The names and types are those of GitHub's own description of its API. */
export type PullView = Pick<
  Schemas['pull-request'],
  | 'number'
  | 'node_id'
  | 'html_url'
  | 'title'
  | 'body'
  | 'draft'
  | 'state'
  | 'merged'
  | 'merge_commit_sha'
  | 'mergeable_state'
> & {
  head: Pick<Schemas['pull-request']['head'], 'ref' | 'sha'>;
  base: Pick<Schemas['pull-request']['base'], 'ref' | 'sha'>;
  merged_by: Pick<Schemas['simple-user'], 'login'> | null;
  labels: { name: string }[];
  requested_reviewers: { login: string }[];
};

/** A check run of a commit. */
export type RunView = Pick<Schemas['check-run'], 'id' | 'name' | 'status' | 'conclusion' | 'html_url'> & {
  output: Pick<Schemas['check-run']['output'], 'title' | 'summary' | 'text'>;
  app: { slug: string } | null;
};

/** A commit status. */
export type StatusView = Pick<Schemas['simple-commit-status'], 'context' | 'state' | 'description' | 'target_url'>;

/** A note of a check run on a line. */
export type NoteView = Pick<Schemas['check-annotation'], 'path' | 'start_line' | 'message'>;

/** A request, as the state keeps it. */
export interface Pull {
  number: number;
  title: string;
  body: string | null;
  draft: boolean;
  open: boolean;
  head: string;
  base: string;
  merge: string | null;
  by: string | null;
  labels: string[];
  reviewers: string[];
  /** What the branch held when it was closed. */
  last: string | null;
}

/** Why a wish was not granted, as GitHub answers it. */
export class Refusal extends Error {
  readonly status: number;
  /** What is wrong with the fields, where that is the reason. */
  readonly errors: Schemas['validation-error']['errors'];

  constructor(status: number, message: string, errors?: Schemas['validation-error']['errors']) {
    super(message);
    this.status = status;
    this.errors = errors;
  }
}

function invalid(error: { message: string } | { field: string }): Refusal {
  const code = 'message' in error ? 'custom' : 'invalid';
  return new Refusal(422, 'Validation Failed', [{ resource: 'PullRequest', code, ...error }]);
}

/** GitHub's part in pull requests, in memory, over a real bare repository: merges are real merges. */
export class GitHubState {
  readonly pulls: Pull[] = [];
  /** What happened to requests, in order: `100 opened as a draft`. */
  readonly events: string[] = [];
  readonly runs = new Map<string, RunView[]>();
  readonly statuses = new Map<string, StatusView[]>();
  readonly notes = new Map<RunView['id'], NoteView[]>();
  /** Logs of jobs, each by the id of its check run. */
  readonly logs = new Map<RunView['id'], string>();
  /** Names of the checks that `main` requires: by its protection, and by rules. */
  required: string[] = [];
  ruled: string[] = [];
  canPush = true;
  /** Whose the repository is now; requests are known by this name only, addresses by the old one, too. */
  owner = 'team';
  drafts = true;
  /** Who may not be asked for a review. */
  strangers: string[] = [];
  /** What GitHub makes of an open request that is no draft, instead of looking. */
  mergeableState: string | null = null;
  readonly #gitDir: string;

  constructor(gitDir: string) {
    this.#gitDir = gitDir;
  }

  /** Runs git in the repository. */
  git(...args: string[]): string {
    const me = ['-c', 'user.name=GitHub', '-c', 'user.email=noreply@github.com'];
    return execFileSync('git', ['--git-dir', this.#gitDir, ...me, ...args], { encoding: 'utf8', stdio: 'pipe' }).trim();
  }

  tip(branch: string): string | null {
    try {
      return this.git('rev-parse', '--verify', '--quiet', `refs/heads/${branch}`);
    } catch {
      return null;
    }
  }

  pull(number: number): Pull {
    const found = this.pulls.find((pull) => pull.number === number);
    if (found === undefined) throw new Refusal(404, 'Not Found');
    return found;
  }

  open(wish: { head: string; base: string; title: string; body: string; draft: boolean }): Pull {
    const { head, base } = wish;
    if (this.tip(head) === null) throw invalid({ field: 'head' });
    if (this.tip(base) === null) throw invalid({ field: 'base' });
    if (this.pulls.some((pull) => pull.open && pull.head === head))
      throw invalid({ message: `A pull request already exists for ${this.owner}:${head}.` });
    if (this.git('rev-list', '--count', `${base}..${head}`) === '0')
      throw invalid({ message: `No commits between ${base} and ${head}` });
    if (wish.draft && !this.drafts) throw new Refusal(422, 'Draft pull requests are not supported in this repository.');
    const pull: Pull = {
      ...wish,
      ...{ number: 100 + this.pulls.length, open: true, merge: null, by: null, labels: [], reviewers: [], last: null },
    };
    this.pulls.push(pull);
    this.events.push(`${pull.number} opened${pull.draft ? ' as a draft' : ''}`);
    return pull;
  }

  askReviewers(number: number, names: readonly string[]): Pull {
    const refused = names.find((name) => this.strangers.includes(name));
    if (refused !== undefined) throw new Refusal(422, 'Reviews may only be requested from collaborators.');
    const pull = this.pull(number);
    pull.reviewers = [...new Set([...pull.reviewers, ...names])];
    return pull;
  }

  /** Merges a request as the API does, or a person with the button. */
  merge(number: number, by: string, wish: { sha?: string; method: 'merge' | 'squash'; message: string }): string {
    const pull = this.pull(number);
    const view = this.view(pull);
    if (!pull.open) throw new Refusal(405, 'Pull Request is not mergeable');
    if (pull.draft) throw new Refusal(405, 'Pull Request is still a draft');
    if (wish.sha !== undefined && wish.sha !== view.head.sha)
      throw new Refusal(409, 'Head branch was modified. Review and try the merge again.');
    if (view.mergeable_state === 'blocked') throw new Refusal(405, 'At least 1 approving review is required.');
    const base = this.tip(pull.base) ?? '';
    const tree = this.#mergedTree(base, view.head.sha);
    if (tree === null) throw new Refusal(405, 'Pull Request is not mergeable');
    const parents = wish.method === 'merge' ? ['-p', base, '-p', view.head.sha] : ['-p', base];
    const commit = this.git('commit-tree', tree, ...parents, '-m', wish.message);
    this.git('update-ref', `refs/heads/${pull.base}`, commit, base);
    Object.assign(pull, { open: false, merge: commit, by, last: view.head.sha });
    this.events.push(`${number} merged by ${by}`);
    return commit;
  }

  close(number: number, by: string): void {
    const pull = this.pull(number);
    Object.assign(pull, { last: this.tip(pull.head), open: false, by });
    this.events.push(`${number} closed by ${by}`);
  }

  ready(number: number): Pull {
    const pull = this.pull(number);
    pull.draft = false;
    this.events.push(`${number} made ready`);
    return pull;
  }

  view(pull: Pull): PullView {
    const sha = (pull.open ? this.tip(pull.head) : pull.last) ?? '';
    const base = this.tip(pull.base) ?? '';
    return {
      number: pull.number,
      node_id: `PR_${pull.number}`,
      html_url: `https://github.test/team/project/pull/${pull.number}`,
      title: pull.title,
      body: pull.body,
      draft: pull.draft,
      state: pull.open ? 'open' : 'closed',
      merged: pull.merge !== null,
      merge_commit_sha: pull.merge,
      merged_by: pull.merge === null || pull.by === null ? null : { login: pull.by },
      mergeable_state: pull.draft ? 'draft' : (this.mergeableState ?? this.#mergeableState(base, sha)),
      head: { ref: pull.head, sha },
      base: { ref: pull.base, sha: base },
      labels: pull.labels.map((name) => ({ name })),
      requested_reviewers: pull.reviewers.map((login) => ({ login })),
    };
  }

  /** Lets a check run of a commit say something. */
  report(commit: string, run: { name: string } & Partial<RunView>): void {
    const runs = this.runs.get(commit) ?? [];
    const id = runs.find(({ name }) => name === run.name)?.id ?? 1000 + this.runs.size * 100 + runs.length;
    const output = { title: null, summary: null, text: null };
    const whole: RunView = {
      id,
      status: 'completed',
      conclusion: 'success',
      html_url: null,
      output,
      app: null,
      ...run,
    };
    this.runs.set(commit, [...runs.filter(({ name }) => name !== run.name), whole]);
  }

  #mergeableState(base: string, head: string): string {
    return this.#mergedTree(base, head) === null ? 'dirty' : 'clean';
  }

  #mergedTree(base: string, head: string): string | null {
    try {
      return this.git('merge-tree', '--write-tree', base, head).split('\n')[0] ?? null;
    } catch {
      return null;
    }
  }
}
