import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RunDescription } from '../../core/description.ts';
import { CliWorld } from '../support/cli.ts';
import { gitHttpServer, type GitHttpServer } from '../support/git-http-server.ts';

const PATIENCE = 90_000;
const TOKEN = 'ghp_of-the-whole-run-0123456789';

let world: CliWorld;
let server: GitHttpServer;

beforeAll(async () => {
  world = new CliWorld().init();
  server = await gitHttpServer(path.join(world.root, 'far'));
  server.password = TOKEN;
  Object.assign(world.env, { GITHUB_SERVER_URL: server.url, GH_TOKEN: TOKEN });
  world.config(
    `agent: { provider: command, command: "cat > /dev/null; env > $SIGNALBOX_TASK_ID.txt" }\n` +
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

test(
  'a run pushes each task’s branch and the integration branch, and leaves the token nowhere',
  async () => {
    const started = await world.signalbox('run', 'start', '--run-id', 'far', '--backend', 'local', '-o', 'json');
    const result = started.json?.result as RunDescription;
    expect({ code: started.code, result }).toMatchObject({ code: 0, result: { status: 'completed' } });
    const far = (...args: string[]): string => world.git('--git-dir', server.gitDir, ...args).trim();
    expect(far('rev-parse', 'main')).toBe(world.git('rev-parse', 'main').trim());
    for (const [id, task] of Object.entries(result.tasks)) {
      expect(task).toMatchObject({ status: 'merged', warnings: [] });
      expect(far('rev-parse', `signalbox/far/${id}`)).toBe(task.commit);
      expect(far('show', `main:${id}.txt`)).not.toContain(TOKEN);
    }
    const names = readdirSync(world.home, { recursive: true, encoding: 'utf8' });
    const files = names.map((name) => path.join(world.home, name)).filter((file) => statSync(file).isFile());
    expect(files.length).toBeGreaterThan(10);
    expect(files.filter((file) => readFileSync(file, 'latin1').includes(TOKEN))).toEqual([]);
    expect(started.stdout + started.stderr).not.toContain(TOKEN);
  },
  PATIENCE,
);
