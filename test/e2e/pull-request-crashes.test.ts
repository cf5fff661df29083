import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RunDescription } from '../../core/description.ts';
import { CliProcess } from '../support/cli-process.ts';
import { checkRequests, gitHubCliWorld, type GitHubCliWorld } from '../support/github-cli-world.ts';

const PATIENCE = 400_000;

let world: GitHubCliWorld;
let worker: CliProcess;
let stopChecks: () => void;
/** After what the worker was killed. */
const killed: string[] = [];

/** The worker dies, as by a power failure, before it can know what came of what it asked for; another one comes. */
async function crash(after: string): Promise<void> {
  killed.push(after);
  worker.kill('SIGKILL');
  await worker.ended;
  worker = new CliProcess(world.cli, 'worker', 'start');
}

beforeAll(async () => {
  world = await gitHubCliWorld('ghp_that-crashes-0123456789');
  const { cli, server, api } = world;
  cli.config(
    'agent: { provider: command, command: "cat > /dev/null; echo done > a.txt" }\nchecks: { doctor: "test -f README.md" }\n' +
      'repository: { remote: { name: origin, push: pull_request, labels: [signalbox], reviewers: [ada] } }\n',
  );
  cli.task('a', 'files: { writes: ["a.txt"] }').commit('task');
  cli.git('push', '-q', server.gitDir, 'main');
  stopChecks = checkRequests(world, () => 'success');
  const late = (when: RegExp, what: string): void => {
    api.faults.push({ when, answer: 'late', meanwhile: () => crash(what) });
  };
  const pushed = ['the push of the work', 'the push of what was verified'];
  server.onPush = async () => {
    const what = pushed.shift();
    if (what !== undefined) await crash(what);
  };
  late(/^POST .*\/pulls$/, 'opening');
  late(/^POST .*\/labels$/, 'labels');
  late(/^POST \/graphql$/, 'making it ready');
  late(/^POST .*\/requested_reviewers$/, 'reviewers');
  late(/^GET .*\/check-runs$/, 'a look at its checks');
  late(/^PUT .*\/merge$/, 'the merge');
});
afterAll(async () => {
  stopChecks();
  worker.kill('SIGTERM');
  await worker.ended;
  await world.close();
});

test(
  'a worker that is killed after each step of a request’s life costs neither a second request nor a lost one',
  async () => {
    const { cli, api, far } = world;
    worker = new CliProcess(cli, 'worker', 'start');
    await worker.says(/works|polls|worker/i);
    const started = await cli.signalbox('run', 'start', '--run-id', 'r', '--backend', 'local', '--detach');
    expect(started.code).toBe(0);
    const watched = await cli.signalbox('run', 'watch', 'r', '-o', 'json');
    expect({ code: watched.code, error: watched.json?.error }).toEqual({ code: 0 });
    expect(killed).toEqual([
      ...['the push of the work', 'opening', 'labels', 'the push of what was verified', 'reviewers'],
      ...['making it ready', 'a look at its checks', 'the merge'],
    ]);
    expect(api.state.events).toEqual(['100 opened as a draft', '100 made ready', '100 merged by signalbox-bot']);
    expect(api.state.pulls[0]).toMatchObject({ labels: ['signalbox'], reviewers: ['ada'] });
    const { tasks } = watched.json?.result as RunDescription;
    expect(tasks).toMatchObject({ a: { status: 'merged', attempts: 1, turns: 1, warnings: [] } });
    expect(cli.git('rev-parse', 'main').trim()).toBe(far('rev-parse', 'main'));
    expect(cli.git('rev-list', '--count', '--merges', 'main').trim()).toBe('2');
    expect(cli.git('status', '--porcelain')).toBe('');
  },
  PATIENCE,
);
