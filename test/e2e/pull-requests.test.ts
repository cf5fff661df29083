import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { RunDescription } from '../../core/description.ts';
import type { CliResult } from '../support/cli.ts';
import { checkRequests, gitHubCliWorld, type GitHubCliWorld } from '../support/github-cli-world.ts';
import { filesHolding, watchProcesses, writingsOf, type ProcessWatch } from '../support/token-watch.ts';
import { until } from '../support/until.ts';

const PATIENCE = 400_000;
const TOKEN = 'ghp_of-the-whole-run-0123456789';

/** Does its task, and for `002` only once it was told what the checks on GitHub said. */
const AGENT = `prompt=$(cat)
case "$SIGNALBOX_TASK_ID$prompt" in
  002*"expected 1, got 2"*) echo good ;;
  002*) echo bad ;;
  *) echo done ;;
esac > "$SIGNALBOX_TASK_ID.txt"
`;

let world: GitHubCliWorld;
let processes: ProcessWatch;
let stopChecks: () => void;
const said: CliResult[] = [];

async function signalbox(...argv: string[]): Promise<CliResult> {
  const result = await world.cli.signalbox(...argv);
  said.push(result);
  return result;
}

async function describeRun(): Promise<RunDescription> {
  return (await signalbox('run', 'describe', '-o', 'json')).json?.result as RunDescription;
}

/** The number of a task's request, when it is ready for review. */
async function readyRequest(task: string): Promise<number> {
  const { state } = world.api;
  return await until(() => state.pulls.find(({ head, draft }) => head === `signalbox/far/${task}` && !draft)?.number);
}

beforeAll(async () => {
  world = await gitHubCliWorld(TOKEN);
  const { cli, server } = world;
  cli.config(
    'agent: { provider: command, command: "sh agent.sh" }\nchecks: { doctor: "test -f README.md" }\n' +
      'repository: { remote: { name: origin, push: pull_request, labels: [signalbox], reviewers: [ada] } }\n',
  );
  cli.write('agent.sh', AGENT);
  for (const id of ['001', '002', '003', '004']) cli.task(id, `files: { writes: ["${id}.txt"] }`);
  cli.commit('tasks');
  cli.git('push', '-q', server.gitDir, 'main');
  processes = watchProcesses(writingsOf(TOKEN), 'cmdline', 100);
  stopChecks = checkRequests(world, (task, show) => {
    // What becomes of these, a person decides.
    if (task === '003' || task === '004') return null;
    return task === '002' && show('002.txt') === 'bad' ? 'failure' : 'success';
  });
});
afterAll(async () => {
  stopChecks();
  processes.stop();
  await world.close();
});

describe('a run through pull requests', () => {
  test(
    'shows what its requests wait for, and takes no word away from people who merge or close them',
    async () => {
      const { cli, api } = world;
      expect(await signalbox('run', 'start', '--run-id', 'far', '--backend', 'local', '--detach')).toMatchObject({
        code: 0,
      });
      const byHand = await readyRequest('003');
      const waiting = await until(async () => {
        const { tasks } = await describeRun();
        return tasks['003']?.pull_request?.waits_for === 'waits for its checks: ci' && tasks['003'];
      });
      const url = `https://github.test/team/project/pull/${byHand}`;
      const reason = `pull request #${byHand}: waits for its checks: ci (${url})`;
      expect(waiting).toMatchObject({ status: 'merging', reason, pull_request: { number: byHand, url } });
      expect((await signalbox('run', 'describe')).stdout).toContain(reason);
      expect((await signalbox('task', 'describe', '003')).stdout).toContain(reason);
      api.state.mergeableState = 'blocked';
      api.state.report(api.state.tip('signalbox/far/003') ?? '', { name: 'ci' });
      const listed = await until(async () => {
        const text = (await signalbox('run', 'list', '--waiting')).stdout;
        return text.includes(`003 task waits at pull request #${byHand}: the remote wants more than checks`) && text;
      });
      expect(listed).toContain(url);
      api.state.mergeableState = null;
      api.state.merge(byHand, 'ada', { method: 'merge', message: 'By hand' });
      api.state.close(await readyRequest('004'), 'bob');
      await until(async () => (await describeRun()).tasks['003']?.status === 'merged');
      expect(cli.git('show', 'main:003.txt')).toBe('done\n');
    },
    PATIENCE,
  );

  test(
    'merges what is green, sends back what is red there, and ends with the user’s branch where the remote’s is',
    async () => {
      const { cli, api, far } = world;
      const watched = await signalbox('run', 'watch', 'far', '-o', 'json');
      const { tasks } = watched.json?.result as RunDescription;
      const requestOf = (task: string) => api.state.pulls.filter(({ head }) => head === `signalbox/far/${task}`);
      expect(watched.code).toBe(1);
      expect(tasks).toMatchObject({
        '001': { status: 'merged', attempts: 1 },
        '002': { status: 'merged', attempts: 2, pull_request: { number: requestOf('002')[0]?.number } },
        '003': { status: 'merged', attempts: 1 },
        '004': { status: 'failed', attempts: 1 },
      });
      expect(tasks['004']?.reason).toMatch(/^@bob closed pull request #\d+ without merging it$/);
      for (const task of ['001', '002', '003', '004']) {
        const [request, ...others] = requestOf(task);
        expect(others).toEqual([]);
        const { number, labels, reviewers, by } = request!;
        expect({ labels, reviewers }).toEqual({ labels: ['signalbox'], reviewers: ['ada'] });
        const happened = api.state.events.filter((event) => event.startsWith(`${number} `));
        const end = task === '004' ? 'closed' : 'merged';
        expect(happened).toEqual([`${number} opened as a draft`, `${number} made ready`, `${number} ${end} by ${by}`]);
      }
      expect(requestOf('002')[0]?.body).toContain('attempt 2; made by Signalbox');
      expect(cli.git('rev-parse', 'main').trim()).toBe(far('rev-parse', 'main'));
      expect(cli.git('status', '--porcelain')).toBe('');
      expect(cli.git('show', 'main:002.txt')).toBe('good\n');
      expect(tasks['001']?.merged_commit).not.toBeNull();
      expect(cli.git('log', '-1', '--format=%s', tasks['001']?.merged_commit ?? '')).toBe('Merge task 001: task\n');
    },
    PATIENCE,
  );

  test('has shown the token to nobody', () => {
    const { cli, server } = world;
    const texts = writingsOf(TOKEN);
    expect(said.filter(({ stdout, stderr }) => texts.some((text) => (stdout + stderr).includes(text)))).toEqual([]);
    expect(filesHolding(cli.home, texts)).toEqual([]);
    expect(filesHolding(cli.repository, texts)).toEqual([]);
    expect(filesHolding(server.gitDir, texts)).toEqual([]);
    expect([...processes.seen].some((command) => command.includes('git-remote-http'))).toBe(true);
    expect([...processes.leaks]).toEqual([]);
  });
});
