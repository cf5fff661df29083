import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { CliWorld } from '../support/cli.ts';
import { gitHubServer, type GitHubServer } from '../support/github-server.ts';
import { gitHttpServer, type GitHttpServer } from '../support/git-http-server.ts';

const TOKEN = 'ghp_of-the-command-line';

let world: CliWorld;
let server: GitHttpServer;
let api: GitHubServer;

beforeEach(async () => {
  world = new CliWorld();
  server = await gitHttpServer(`${world.root}/far`);
  server.password = TOKEN;
  api = await gitHubServer(server.gitDir, TOKEN);
  Object.assign(world.env, { GITHUB_SERVER_URL: server.url, GITHUB_API_URL: api.url });
  world.init().task('001');
  world.git('remote', 'add', 'origin', `${server.url}/team/project.git`);
  world.git('push', '-q', server.gitDir, 'main');
});
afterEach(async () => {
  await Promise.all([server.close(), api.close()]);
  world.remove();
});

function configure(push: string): void {
  const remote = `repository: { remote: { name: origin, push: ${push} } }\n`;
  world.config(`agent: { provider: command, command: "true" }\nchecks: { doctor: "true" }\n${remote}`);
}
const start = (): ReturnType<CliWorld['signalbox']> =>
  world.signalbox('run', 'start', '--dry-run', '--backend', 'local', '-o', 'json');

describe('before agents start', () => {
  test('a run that goes through pull requests is refused without a token, and says how to give one', async () => {
    configure('pull_request');
    const refused = await start();
    expect(refused.code).toBe(3);
    expect(refused.json?.error).toMatchObject({
      message: `pull requests on ${server.host} want a token, and there is none`,
      hint: expect.stringMatching(/^Set GH_TOKEN .* or run "gh auth login --hostname/),
    });
    world.env['GH_TOKEN'] = TOKEN;
    expect(await start()).toMatchObject({ code: 0 });
  });

  test('a run that only pushes branches starts all the same, and is told what it lacks', async () => {
    configure('branch');
    world.env['GH_TOKEN'] = 'an-old-one';
    const started = await start();
    expect(started.code).toBe(0);
    expect(started.stdout).toMatch(
      /nothing can be sent to the remote as it is: .* does not take the token from GH_TOKEN/,
    );
    expect(started.stdout + started.stderr).not.toContain('an-old-one');
    expect(started.stdout).not.toContain('no effect yet');
  });

  test('doctor tells the same', async () => {
    configure('pull_request');
    const remote = async (): Promise<unknown> => {
      const { json } = await world.signalbox('doctor', '-o', 'json');
      const { findings } = json?.result as { findings: { name: string }[] };
      return findings.filter(({ name }) => name === 'remote');
    };
    expect(await remote()).toMatchObject([{ status: 'error', message: expect.stringContaining('want a token') }]);
    world.env['GH_TOKEN'] = TOKEN;
    expect(await remote()).toMatchObject([{ status: 'ok', message: expect.stringContaining('takes pushes') }]);
    api.state.canPush = false;
    expect(await remote()).toMatchObject([{ status: 'error', message: expect.stringContaining('may not push') }]);
  });
});
