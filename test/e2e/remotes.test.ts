import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RunDescription } from '../../core/description.ts';
import { CliWorld } from '../support/cli.ts';
import { gitHttpServer, type GitHttpServer } from '../support/git-http-server.ts';
import { filesHolding, writingsOf } from '../support/token-watch.ts';
import { until } from '../support/until.ts';

const PATIENCE = 90_000;
const TOKEN = 'ghp_of-the-whole-run-0123456789';

let world: CliWorld;
let server: GitHttpServer;

beforeAll(async () => {
  world = new CliWorld().init();
  server = await gitHttpServer(path.join(world.root, 'far'));
  server.password = TOKEN;
  Object.assign(world.env, { GITHUB_SERVER_URL: server.url, GH_TOKEN: TOKEN });
  // One of them works until the gate is open.
  const gate = path.join(world.root, 'gate');
  const wait = `while [ $SIGNALBOX_TASK_ID = 004 ] && [ ! -e ${gate} ]; do sleep 0.1; done`;
  world.config(
    `agent: { provider: command, command: "cat > /dev/null; ${wait}; env > $SIGNALBOX_TASK_ID.txt" }\n` +
      'checks: { doctor: "true" }\nrun: { attempts: 1 }\n' +
      'repository: { remote: { name: origin, push: branch, integration: true } }\n',
  );
  world.task('001', 'files: { writes: ["001.txt"] }').task('002', 'files: { writes: ["002.txt"] }').commit('tasks');
  world.git('remote', 'add', 'origin', `${server.url}/team/project.git`);
  world.git('push', '-q', server.gitDir, 'main');
});
afterAll(async () => {
  await world.signalbox('server', 'stop');
  world.killWorkers();
  await server.close();
  world.remove();
});

const far = (...args: string[]): string => world.git('--git-dir', server.gitDir, ...args).trim();

/** Somebody else commits on a branch of the remote. @returns the commit */
function elsewhere(branch: string, parent: string): string {
  const other = ['-c', 'user.name=O', '-c', 'user.email=o@example.org'];
  const commit = far(...other, 'commit-tree', `${parent}^{tree}`, '-p', parent, '-m', 'Theirs');
  far('update-ref', `refs/heads/${branch}`, commit);
  return commit;
}

async function run(id: string): Promise<RunDescription> {
  const result = await world.signalbox('run', 'watch', id, '-o', 'json');
  expect({ code: result.code, error: result.json?.error }).toEqual({ code: 0 });
  return result.json?.result as RunDescription;
}

test(
  'a run pushes each task’s branch and the integration branch, and leaves the token nowhere',
  async () => {
    const started = await world.signalbox('run', 'start', '--run-id', 'far', '--backend', 'local', '-o', 'json');
    const result = started.json?.result as RunDescription;
    expect({ code: started.code, result }).toMatchObject({ code: 0, result: { status: 'completed' } });
    expect(far('rev-parse', 'main')).toBe(world.git('rev-parse', 'main').trim());
    for (const [id, task] of Object.entries(result.tasks)) {
      expect(task).toMatchObject({ status: 'merged', warnings: [] });
      expect(far('rev-parse', `signalbox/far/${id}`)).toBe(task.commit);
      expect(far('show', `main:${id}.txt`)).not.toContain(TOKEN);
    }
    expect(filesHolding(world.home, writingsOf(TOKEN))).toEqual([]);
    expect(started.stdout + started.stderr).not.toContain(TOKEN);
  },
  PATIENCE,
);

test(
  'what somebody else pushes in the middle stays there, is told, and is followed once it was brought over',
  async () => {
    world.task('003', 'files: { writes: ["003.txt"] }');
    world.task('004', 'files: { writes: ["004.txt"] }\ndepends_on: ["003"]').commit('more tasks');
    expect(await world.signalbox('run', 'start', '--run-id', 'moved', '--backend', 'local', '--detach')).toMatchObject({
      code: 0,
    });
    const landed = await until(
      () => world.git('log', '--format=%s', 'main').includes('task 003') && far('rev-parse', 'main'),
    );
    await until(() => far('rev-parse', 'main') === world.git('rev-parse', 'main').trim());
    const theirs = elsewhere('main', far('rev-parse', 'main'));
    const onBranch = elsewhere('signalbox/moved/004', landed);
    writeFileSync(path.join(world.root, 'gate'), '');
    const { tasks } = await run('moved');
    expect(tasks['004']).toMatchObject({ status: 'merged' });
    expect(tasks['004']?.warnings).toEqual([
      expect.stringContaining('its branch was not pushed: somebody else pushed to signalbox/moved/004 on origin'),
      expect.stringContaining(`main was not pushed: main on origin is at ${theirs.slice(0, 10)}`),
    ]);
    expect([far('rev-parse', 'main'), far('rev-parse', 'signalbox/moved/004')]).toEqual([theirs, onBranch]);

    world.git('pull', '-q', '--no-rebase', '--no-edit', server.gitDir, 'main');
    world.task('005', 'files: { writes: ["005.txt"] }').commit('one more');
    const argv = ['--run-id', 'after', '--backend', 'local', '--detach'];
    expect(await world.signalbox('run', 'start', ...argv)).toMatchObject({ code: 0 });
    expect((await run('after')).tasks['005']).toMatchObject({ status: 'merged', warnings: [] });
    expect(far('rev-parse', 'main')).toBe(world.git('rev-parse', 'main').trim());
    expect(far('log', '--format=%H', 'main').split('\n')).toContain(theirs);
  },
  PATIENCE,
);
