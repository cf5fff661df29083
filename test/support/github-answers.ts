import type { components } from '@octokit/openapi-types';
import { graphqlSync } from 'graphql';
import { examples, graphqlSchema, like, recording, type Called } from './github-contract.ts';
import { Refusal, type GitHubState, type PullView } from './github-state.ts';

type Schemas = components['schemas'];

/** A request to the stand-in's one repository. */
export interface Asked extends Called {
  query: URLSearchParams;
  body: Readonly<Record<string, unknown>>;
}

/** A part of what GitHub says that it answers: a name that it does not know, or another type, is no valid program. */
type Part<T> = T extends readonly (infer Item)[]
  ? Part<Item>[]
  : T extends object
    ? { [Key in keyof T]?: Part<T[Key]> }
    : T;

/** What was recorded, with the state's part in place of it. */
function told<Name extends keyof Schemas>(was: unknown, data: Part<Schemas[Name]>): unknown {
  return like(was, data);
}

const REPOSITORY = recording('repository').body;
const PULL = recording('pull unstable').body as Schemas['pull-request'];
const LISTED = recording('review requested').body as Schemas['pull-request-simple'];
const MERGED = recording('pull merged').body;
const [LABEL] = recording('labels added').body as unknown[];
const ISSUE = recording('issue closed').body;
const {
  check_runs: [RUN],
} = recording('check runs').body as { check_runs: unknown[] };
const COMBINED = recording('combined status').body as { statuses: unknown[] };
const RULES = recording('branch rules').body as unknown[];
// Of these there is no recording, or only older ones.
const [REF] = examples('GET /repos/{owner}/{repo}/git/ref/{ref}', 200);
const [BRANCH] = examples('GET /repos/{owner}/{repo}/branches/{branch}', 200);
const [[NOTE] = []] = examples('GET /repos/{owner}/{repo}/check-runs/{check_run_id}/annotations', 200) as unknown[][];

const person = (login: string): Schemas['simple-user'] => ({ ...LISTED.user, login }) as Schemas['simple-user'];
const label = (name: string) =>
  told<'label'>(LABEL, { name, description: name }) as Schemas['pull-request-simple']['labels'][number];

function listed(view: PullView): Part<Schemas['pull-request-simple']> {
  const { number, node_id, html_url, title, body, draft, state, head, base, merge_commit_sha: merge } = view;
  return {
    ...{ number, node_id, html_url, title, body, draft: draft === true, state, head, base },
    // What is not merged has one, too: that of GitHub's trial.
    ...(merge === null ? {} : { merge_commit_sha: merge }),
    labels: view.labels.map(({ name }) => label(name)),
    requested_reviewers: view.requested_reviewers.map(({ login }) => person(login)),
    requested_teams: [],
  };
}

function whole(view: PullView): unknown {
  const { merged, merged_by: by, mergeable_state } = view;
  return told<'pull-request'>(PULL, {
    ...(listed(view) as Part<Schemas['pull-request']>),
    ...{ merged, mergeable_state, merged_by: by === null ? null : person(by.login) },
  });
}

/** A page of a list. */
function page<T>(all: readonly T[], query: URLSearchParams): T[] {
  const size = Number(query.get('per_page') ?? 30);
  const from = (Number(query.get('page') ?? 1) - 1) * size;
  return all.slice(from, from + size);
}

/** What GitHub answers in this state: the status, and the whole of what it says. @throws Refusal */
export function answer(state: GitHubState, { route, named, query, body }: Asked): [status: number, data: unknown] {
  const strings = (key: string): string[] => (body[key] as string[] | undefined) ?? [];
  const number = Number(named['pull_number'] ?? named['issue_number'] ?? named['check_run_id']);
  const commit = named['ref'] ?? '';
  if (named['branch'] !== undefined && named['branch'] !== 'main') throw new Refusal(404, 'Branch not found');
  switch (route) {
    case 'GET /repos/{owner}/{repo}':
      return [
        200,
        told<'full-repository'>(REPOSITORY, {
          ...{ name: 'project', full_name: `${state.owner}/project`, owner: { login: state.owner } },
          ...{ archived: false, permissions: { push: state.canPush } },
        }),
      ];
    case 'GET /repos/{owner}/{repo}/pulls': {
      const isOpen = query.get('state') === 'open';
      const found = state.pulls.filter(
        ({ head, open }) => `${state.owner}:${head}` === query.get('head') && open === isOpen,
      );
      return [200, page(found, query).map((pull) => told<'pull-request-simple'>(LISTED, listed(state.view(pull))))];
    }
    case 'POST /repos/{owner}/{repo}/pulls':
      return [201, whole(state.view(state.open(body as unknown as Parameters<GitHubState['open']>[0])))];
    case 'GET /repos/{owner}/{repo}/pulls/{pull_number}':
      return [200, whole(state.view(state.pull(number)))];
    case 'PATCH /repos/{owner}/{repo}/pulls/{pull_number}':
      return [200, whole(state.view(Object.assign(state.pull(number), body)))];
    case 'PUT /repos/{owner}/{repo}/pulls/{pull_number}/merge': {
      const message = `${String(body['commit_title'])}\n\n${String(body['commit_message'])}`;
      const method = body['merge_method'] as 'merge' | 'squash';
      const sha = state.merge(number, 'signalbox-bot', { sha: String(body['sha']), method, message });
      return [200, told<'pull-request-merge-result'>(MERGED, { sha, merged: true })];
    }
    case 'POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers': {
      const pull = state.askReviewers(number, [...strings('reviewers'), ...strings('team_reviewers')]);
      return [201, told<'pull-request-simple'>(LISTED, listed(state.view(pull)))];
    }
    case 'GET /repos/{owner}/{repo}/issues/{issue_number}': {
      const { by, merge, open } = state.pull(number);
      const closer = by === null || merge !== null ? null : person(by);
      return [200, told<'issue'>(ISSUE, { number, state: open ? 'open' : 'closed', closed_by: closer })];
    }
    case 'POST /repos/{owner}/{repo}/issues/{issue_number}/labels': {
      const pull = state.pull(number);
      pull.labels = [...new Set([...pull.labels, ...strings('labels')])];
      return [200, pull.labels.map((name) => label(name))];
    }
    case 'GET /repos/{owner}/{repo}/commits/{ref}/check-runs': {
      const runs = state.runs.get(commit) ?? [];
      const shown = page(runs, query).map((run) => told<'check-run'>(RUN, run as Part<Schemas['check-run']>));
      return [200, { total_count: runs.length, check_runs: shown }];
    }
    case 'GET /repos/{owner}/{repo}/commits/{ref}/status': {
      const all = state.statuses.get(commit) ?? [];
      const has = (...states: string[]): boolean => all.some((status) => states.includes(status.state));
      const sum = has('failure', 'error') ? 'failure' : has('pending') || all.length === 0 ? 'pending' : 'success';
      const statuses = page(all, query);
      return [
        200,
        told<'combined-commit-status'>(COMBINED, { sha: commit, state: sum, total_count: all.length, statuses }),
      ];
    }
    case 'GET /repos/{owner}/{repo}/check-runs/{check_run_id}/annotations': {
      const notes = page(state.notes.get(number) ?? [], query);
      return [200, notes.map((note) => told<'check-annotation'>(NOTE, note))];
    }
    case 'GET /repos/{owner}/{repo}/branches/{branch}': {
      const checks = state.required.map((context) => ({ context, app_id: null }));
      const required = { contexts: state.required, checks };
      const protection = { enabled: checks.length > 0, required_status_checks: required };
      return [200, told<'branch-with-protection'>(BRANCH, { name: 'main', protection })];
    }
    case 'GET /repos/{owner}/{repo}/rules/branches/{branch}': {
      const checks = state.ruled.map((context) => ({ context }));
      const parameters = { required_status_checks: checks, strict_required_status_checks_policy: false };
      const rule: Schemas['repository-rule-required-status-checks'] = { type: 'required_status_checks', parameters };
      return [200, checks.length === 0 ? RULES : [...RULES, rule]];
    }
    case 'GET /repos/{owner}/{repo}/git/ref/{ref}': {
      const sha = state.tip(commit.replace(/^heads\//, ''));
      if (sha === null) throw new Refusal(404, 'Not Found');
      return [200, told<'git-ref'>(REF, { ref: `refs/${commit}`, object: { type: 'commit', sha } })];
    }
    default:
      throw new Refusal(404, 'Not Found');
  }
}

/** Executes a query by GitHub's schema. @returns what is answered, and what is wrong with the query by that schema */
export function graphqlAnswer(
  state: GitHubState,
  { query, variables }: { query: string; variables?: object },
): { result: unknown; problems: string[] } {
  const rootValue = {
    markPullRequestReadyForReview: ({ input: { pullRequestId: id } }: { input: { pullRequestId: string } }) => {
      const pull = state.ready(Number(id.replace('PR_', '')));
      return { pullRequest: { id, isDraft: pull.draft } };
    },
  };
  const { data, errors = [] } = graphqlSync({
    ...{ schema: graphqlSchema, source: query, rootValue },
    variableValues: { ...variables },
  });
  const refused = errors.filter(({ originalError }) => originalError instanceof Refusal);
  const problems = errors.filter((error) => !refused.includes(error)).map(({ message }) => `GraphQL: ${message}`);
  const told = errors.map(({ message, path, locations }) => ({ type: 'NOT_FOUND', path, locations, message }));
  return { result: errors.length === 0 ? { data } : { data, errors: told }, problems };
}
