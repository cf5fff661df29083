import { readFileSync } from 'node:fs';
import path from 'node:path';

/** One answer of GitHub as somebody recorded it, by the name that it has here. */
export interface Recording {
  /** Where it was published. */
  source: string;
  method: string;
  /** Path and query. */
  url: string;
  /** The body that was sent. */
  sent: unknown;
  status: number;
  headers: Readonly<Record<string, string>>;
  body: unknown;
}

/** Mappings below src/test/resources/org/kohsuke/github in hub4j/github-api. */
const HUB4J: Readonly<Record<string, string>> = {
  repository: 'GHPullRequestTest/wiremock/markReadyForReview/mappings/3-r_h_github-api',
  'repository moved':
    'GHContentIntegrationTest/wiremock/testGetFileContentWithNonAsciiPath/mappings/4-r_g_ghcontentintegrationtest',
  'repository not found': 'GHRepositoryForkBuilderTest/wiremock/testTimeoutMessage/mappings/8-r_a_test-message',
  'bad credentials':
    'AppInstallationAuthorizationProviderTest/wiremock/validJWTTokenAllowsOauthTokenRequest/mappings/1-user',
  'pulls of a branch': 'GHPullRequestTest/wiremock/createDraftPullRequest/mappings/7-r_h_g_pulls',
  'draft opened': 'GHPullRequestTest/wiremock/markReadyForReview/mappings/4-r_h_g_pulls',
  'pull exists': 'GHIssueEventTest/wiremock/testIssueReviewRequestedEvent/mappings/5-r_h_g_pulls',
  'pull unstable': 'GHPullRequestTest/wiremock/markReadyForReview/mappings/6-r_h_g_pulls_486',
  'pull clean': 'GHPullRequestTest/wiremock/refreshFromSearchResults/mappings/5-r_h_g_pulls_479',
  'pull blocked': 'GHPullRequestTest/wiremock/enablePullRequestAutoMerge/mappings/6-r_s_f_pulls_9',
  'pull behind': 'GHPullRequestTest/wiremock/updateOutdatedBranches/mappings/6-r_h_u_pulls_8',
  'pull unknown': 'GHPullRequestTest/wiremock/updateOutdatedBranches/mappings/8-r_h_u_pulls_8',
  'pull draft': 'GHPullRequestTest/wiremock/createDraftPullRequest/mappings/5-r_h_g_pulls_321',
  'pull closed': 'GHPullRequestTest/wiremock/checkPullRequestReviewer/mappings/4-r_h_g_pulls_6',
  'pull updated': 'GHPullRequestTest/wiremock/refreshFromSearchResults/mappings/6-r_h_g_pulls_479',
  'pull not updated': 'GHPullRequestTest/wiremock/setBaseBranchNonExisting/mappings/4-r_h_g_pulls_381',
  'pull merged': 'GHPullRequestTest/wiremock/squashMerge/mappings/11-r_h_g_pulls_267_merge',
  'review requested':
    'GHPullRequestTest/wiremock/testPullRequestTeamReviewRequests/mappings/5-r_h_g_pulls_449_requested_reviewers',
  'labels added': 'GHPullRequestTest/wiremock/addLabels/mappings/6-r_h_g_issues_427_labels',
  'issue closed': 'GHIssueTest/wiremock/closeIssueNotPlanned/mappings/8-r_h_g_issues_18',
  'check runs': 'GHRepositoryTest/wiremock/getCheckRuns/mappings/3-r_h_g_commits_78b9ff49_check-runs',
  'branch unprotected': 'GHBranchProtectionTest/wiremock/testChecksWithAppIds/mappings/3-r_h_t_branches_main',
  'branch protected': 'GHBranchProtectionTest/wiremock/testGetProtection/mappings/5-r_h_t_branches_main',
  'branch rules': 'GHRepositoryTest/wiremock/testGetRulesForBranch/mappings/3-r_i_n_rules_branches_main',
  'job log': 'GHWorkflowRunTest/wiremock/testJobs/mappings/8-r_h_g_actions_jobs_2270858630_logs',
  'made ready': 'GHPullRequestTest/wiremock/markReadyForReview/mappings/5-graphql',
  'mutation refused': 'GHPullRequestTest/wiremock/enablePullRequestAutoMergeFailure/mappings/5-graphql',
};

/** Scenarios of @octokit/fixtures, and which of their answers. */
const OCTOKIT: Readonly<Record<string, readonly [scenario: string, index: number]>> = {
  'combined status': ['create-status', 3],
  'fields refused': ['errors', 0],
};

/** Headers that say something of the answer, and nothing of who recorded it. */
const HEADERS = [
  'content-type',
  'etag',
  'link',
  'location',
  'retry-after',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
];

interface Mapping {
  request: { method: string; url: string; bodyPatterns?: { equalToJson?: string }[] };
  response: { status: number; body?: string; bodyFileName?: string; headers?: Record<string, string | string[]> };
}
interface Exchange {
  method: string;
  path: string;
  body: unknown;
  status: number;
  response: unknown;
  headers: Record<string, string | number>;
}

/** The chosen recordings. @param source holds `github-api`, a clone of hub4j/github-api, and `fixtures`, a package */
export function recordings(source: string): Record<string, Recording> {
  const read = (...parts: string[]): string => readFileSync(path.join(source, ...parts), 'utf8');
  const found: Record<string, Recording> = {};
  for (const [name, mapping] of Object.entries(HUB4J)) {
    const root = path.join('github-api/src/test/resources/org/kohsuke/github', mapping, '../..');
    const { request, response } = JSON.parse(read(root, 'mappings', `${path.basename(mapping)}.json`)) as Mapping;
    const body =
      response.body ?? (response.bodyFileName === undefined ? '' : read(root, '__files', response.bodyFileName));
    const sent = request.bodyPatterns?.[0]?.equalToJson;
    found[name] = {
      source: `hub4j/github-api: ${mapping}`,
      method: request.method,
      url: request.url,
      sent: sent === undefined ? null : (JSON.parse(sent) as unknown),
      status: response.status,
      headers: told(response.headers ?? {}),
      body: body === '' ? null : (JSON.parse(body) as unknown),
    };
  }
  for (const [name, [scenario, index]] of Object.entries(OCTOKIT)) {
    const file = ['fixtures/scenarios/api.github.com', scenario, 'normalized-fixture.json'];
    const exchange = (JSON.parse(read(...file)) as Exchange[])[index];
    if (exchange === undefined) throw new Error(`${scenario} has no answer ${index}`);
    found[name] = {
      source: `@octokit/fixtures: ${scenario}`,
      method: exchange.method.toUpperCase(),
      url: exchange.path,
      sent: exchange.body === '' ? null : exchange.body,
      status: exchange.status,
      headers: told(exchange.headers),
      body: exchange.response,
    };
  }
  return found;
}

function told(headers: Readonly<Record<string, string | number | string[]>>): Record<string, string> {
  const known = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)] as const);
  return Object.fromEntries(known.filter(([name]) => HEADERS.includes(name)));
}
