import type { FailedCheck, RequestChecks } from '../../core/remote.ts';
import { headAndTail } from '../../core/failures.ts';
import type { GitHubClient } from './github-client.ts';

/** One check of a commit: a check run, or a commit status. */
interface OneCheck {
  name: string;
  state: 'pending' | 'passed' | 'failed';
  summary: string;
  url: string | null;
  text: string;
  /** The id of a check run, whose annotations may say more. */
  run: number | null;
  /** It is a job of GitHub Actions, which has a log and says nothing else. */
  job: boolean;
}

const PASSED = ['success', 'neutral', 'skipped'];
/** It waits for a person, who may let it run. */
const WAITS = ['action_required'];

/** How many are read at once, the most that GitHub gives; most such pages; and most checks that are told of each kind. */
const PAGE = 100;
const MOST_PAGES = 10;
const MOST_TOLD = 3;
/** Most characters of a failed check's output, and of a log in it. */
const MOST_OUTPUT = 3000;
const MOST_LOG = 1900;

/**
 * What the checks of a commit say: check runs and commit statuses together.
 *
 * @param which `required`: only those that the branch requires count; `all`: those and every other one
 */
export async function requestChecks(
  client: GitHubClient,
  target: { commit: string; branch: string; which: 'all' | 'required' },
  signal: AbortSignal,
): Promise<RequestChecks> {
  const { commit, branch, which } = target;
  const [runs, statuses, required] = await Promise.all([
    checkRuns(client, commit, signal),
    commitStatuses(client, commit, signal),
    requiredChecks(client, branch, signal),
  ]);
  const present = [...runs, ...statuses];
  const counted = which === 'all' ? present : present.filter(({ name }) => required.has(name));
  const missing = [...required].filter((name) => !present.some((check) => check.name === name));
  const failed = counted.filter(({ state }) => state === 'failed');
  const pending = counted.filter(({ state }) => state === 'pending').map(({ name }) => name);
  return {
    total: counted.length + missing.length,
    pending: [...pending, ...missing]
      .sort()
      .slice(0, MOST_TOLD)
      .map((name) => name.slice(0, 200)),
    failed: await Promise.all(failed.slice(0, MOST_TOLD).map((check) => told(client, check, signal))),
  };
}

async function checkRuns(client: GitHubClient, ref: string, signal: AbortSignal): Promise<OneCheck[]> {
  const route = 'GET /repos/{owner}/{repo}/commits/{ref}/check-runs';
  const runs = await allPages(async (page) => {
    const { check_runs: items, total_count: total } = await client.read(route, { ref, ...page }, signal);
    return { items, total };
  });
  return runs.map(({ id, name, status, conclusion, html_url: url, output, app }) => {
    const ended = status === 'completed' && conclusion !== null && !WAITS.includes(conclusion);
    return {
      ...{ name, url, run: Number(id), job: app?.slug === 'github-actions' },
      state: !ended ? 'pending' : PASSED.includes(conclusion) ? 'passed' : 'failed',
      summary: output.title ?? conclusion ?? status,
      text: [output.summary, output.text].filter((part) => part !== null && part !== '').join('\n\n'),
    };
  });
}

async function commitStatuses(client: GitHubClient, ref: string, signal: AbortSignal): Promise<OneCheck[]> {
  const route = 'GET /repos/{owner}/{repo}/commits/{ref}/status';
  const statuses = await allPages(async (page) => {
    const { statuses: items, total_count: total } = await client.read(route, { ref, ...page }, signal);
    return { items, total };
  });
  return statuses.map(({ context, state, description, target_url: url }) => ({
    name: context,
    state: state === 'success' ? 'passed' : state === 'pending' ? 'pending' : 'failed',
    summary: description ?? state,
    url,
    text: '',
    run: null,
    job: false,
  }));
}

/** What is on all pages of a list. */
async function allPages<T>(
  read: (page: { per_page: number; page: number }) => Promise<{ items: readonly T[]; total: number }>,
): Promise<T[]> {
  const all: T[] = [];
  for (let page = 1; page <= MOST_PAGES; page += 1) {
    const { items, total } = await read({ per_page: PAGE, page });
    all.push(...items);
    if (items.length === 0 || all.length >= total) break;
  }
  return all;
}

/** Names of the checks that the branch requires, by its protection or by rules. */
async function requiredChecks(client: GitHubClient, branch: string, signal: AbortSignal): Promise<Set<string>> {
  const [protectedBranch, rules] = await Promise.all([
    client.readIfThere('GET /repos/{owner}/{repo}/branches/{branch}', { branch }, signal),
    client.readIfThere('GET /repos/{owner}/{repo}/rules/branches/{branch}', { branch, per_page: PAGE }, signal),
  ]);
  const names = new Set(protectedBranch?.protection.required_status_checks?.contexts ?? []);
  for (const rule of rules ?? []) {
    if (rule.type !== 'required_status_checks') continue;
    for (const { context } of rule.parameters?.required_status_checks ?? []) names.add(context);
  }
  return names;
}

async function told(client: GitHubClient, check: OneCheck, signal: AbortSignal): Promise<FailedCheck> {
  const { name, url, run, job } = check;
  const route = 'GET /repos/{owner}/{repo}/check-runs/{check_run_id}/annotations';
  const notes = run === null ? null : await client.readIfThere(route, { check_run_id: run, per_page: 20 }, signal);
  const lines = (notes ?? []).map(
    ({ path, start_line: line, message }) => `${path}:${line}: ${(message ?? '').trim().slice(0, 300)}`,
  );
  const log = run !== null && job ? await jobLog(client, run, signal) : '';
  const output = [check.text, lines.join('\n'), log].filter((part) => part !== '').join('\n\n');
  const summary = check.summary.replace(/\s+/g, ' ').trim().slice(0, 300);
  return { name: name.slice(0, 200), summary, url, output: headAndTail(output, MOST_OUTPUT) };
}

/** The end of the log of a job of GitHub Actions, up to its last error: what comes after that is clean-up. */
async function jobLog(client: GitHubClient, job: number, signal: AbortSignal): Promise<string> {
  const route = 'GET /repos/{owner}/{repo}/actions/jobs/{job_id}/logs';
  const log = (await client.readText(route, { job_id: job }, signal)) ?? '';
  const lines = log.split(/\r?\n/).map((line) => line.replace(/^\uFEFF?\d{4}-\d\d-\d\dT[\d:.]+Z /, ''));
  const last = lines.findLastIndex((line) => line.startsWith('##[error]'));
  return lines
    .slice(0, last === -1 ? undefined : last + 1)
    .join('\n')
    .trimEnd()
    .slice(-MOST_LOG);
}
