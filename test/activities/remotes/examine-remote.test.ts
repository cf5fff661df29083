import { afterEach, describe, expect, test } from '@jest/globals';
import { examineRemote, type RemoteExamination } from '../../../activities/remotes/examine-remote.ts';
import { inspectUserRepository } from '../../../activities/git/inspect-user-repository.ts';
import { remoteWorld, type RemoteWorld } from '../../support/remote-world.ts';

let world: RemoteWorld;
afterEach(() => world.close());

async function examine(remote: object = { push: 'pull_request' }): Promise<RemoteExamination | null> {
  const user = await inspectUserRepository(world.repository);
  const { repository } = (await world.host.manifests.manifest(world.run)).config;
  const wanted = { ...repository, remote: { ...repository.remote!, ...remote } };
  return await examineRemote({
    ...{ user, config: { repository: wanted }, tip: world.git('rev-parse', 'main'), env: world.env },
  });
}
const begin = async (): Promise<void> => void (world = await remoteWorld({}, { push: 'pull_request' }));

describe('a look at a run’s remote', () => {
  test('finds nothing wrong where all is there, and changes nothing', async () => {
    await begin();
    const what = `remote origin (${world.server.url}/team/project.git)`;
    expect(await examine()).toEqual({ problem: null, what, notices: [] });
    expect(await examine({ push: 'branch' })).toEqual({ problem: null, what, notices: [] });
    expect(world.far('for-each-ref', '--format=%(refname)')).toBe('refs/heads/main');
    expect(world.server.log.some(({ what: asked }) => asked.startsWith('POST') && asked.includes('receive'))).toBe(
      false,
    );
  });

  test('is not taken where nothing is to be sent', async () => {
    await begin();
    expect(await examine({ push: 'none' })).toBeNull();
    expect(world.server.log).toEqual([]);
  });

  test('names the token that is missing, wrong, or lacks rights', async () => {
    await begin();
    world.server.reader = 'reads';
    const { token } = world;
    const problems: unknown[] = [];
    for (const given of [undefined, 'wrong', 'reads', token]) {
      world.env['GH_TOKEN'] = given;
      problems.push((await examine())?.problem?.reason ?? null);
    }
    world.api.state.canPush = false;
    problems.push((await examine())?.problem?.reason);
    expect(problems).toEqual([
      `pull requests on ${world.server.host} want a token, and there is none`,
      expect.stringContaining('does not take the token from GH_TOKEN'),
      expect.stringContaining('does not let GH_TOKEN do that'),
      null,
      'the token from GH_TOKEN may not push to the repository, so it cannot merge there',
    ]);
  });

  test('misses the branch that requests go into; branches alone need none', async () => {
    await begin();
    world.far('update-ref', '-d', 'refs/heads/main');
    expect((await examine())?.problem?.hint).toContain('git push origin main');
    expect((await examine({ push: 'branch' }))?.problem).toBeNull();
  });

  test('tells which side lacks commits of the other', async () => {
    await begin();
    world.git('commit', '-q', '--allow-empty', '-m', 'mine');
    expect((await examine())?.notices).toEqual([expect.stringContaining('main has commits that origin lacks')]);
    world.git('reset', '-q', '--hard', 'HEAD~1');
    world.elsewhere('theirs.txt');
    expect((await examine())?.notices).toEqual([expect.stringContaining('main lacks commits that origin has')]);
  });

  test('tells a server that is not there, as a thing that may pass', async () => {
    await begin();
    await world.server.close();
    expect((await examine({ push: 'branch' }))?.problem).toMatchObject({ passing: true });
  });
});
