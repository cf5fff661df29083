import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { bootstrapKey, type Bootstrap } from '../../../activities/bootstrap/bootstrap-key.ts';
import { LocalSandbox } from '../../../activities/sandbox/local-sandbox.ts';
import { projectWorld, type ProjectWorld } from '../../support/project-world.ts';

let world: ProjectWorld;
beforeEach(async () => {
  world = await projectWorld({ a: 'true' });
  world.write('package.json', '{}');
  world.write('packages/a/package.json', '{"name":"a"}');
  commit();
});
afterEach(() => world.remove());

const BOOTSTRAP: Bootstrap = {
  commands: ['npm ci'],
  inputs: ['package.json', 'packages/*/package.json'],
  outputs: ['node_modules'],
  network: 'none',
};

function commit(): void {
  world.git('add', '.');
  world.git('commit', '-qm', 'next');
}

async function keyNow(
  change: Partial<Bootstrap> = {},
  more: { variables?: Record<string, string>; place?: string } = {},
): Promise<string> {
  const bare = await world.host.bare(world.run.repository);
  const sandbox = new LocalSandbox({ home: world.home, gatewayUrl: '', env: process.env });
  if (more.place !== undefined) sandbox.fingerprint = () => Promise.resolve(more.place ?? '');
  return await bootstrapKey({
    bare,
    commit: await bare.importBranch(await world.host.user(world.run.repository), 'main'),
    bootstrap: { ...BOOTSTRAP, ...change },
    sandbox,
    variables: more.variables ?? {},
  });
}

describe('the key of a dependency snapshot', () => {
  test('is the same for commits that differ in other files only', async () => {
    const before = await keyNow();
    expect(before).toMatch(/^[0-9a-f]{64}$/);
    world.write('src/index.js', '1');
    world.write('packages/a/index.js', '1');
    commit();
    expect(await keyNow()).toBe(before);
  });

  test('changes with the content, the mode and the number of the inputs', async () => {
    const keys = [await keyNow()];
    world.write('packages/a/package.json', '{"name":"b"}');
    commit();
    keys.push(await keyNow());
    world.write('packages/b/package.json', '{"name":"b"}');
    commit();
    keys.push(await keyNow());
    world.git('update-index', '--chmod=+x', 'package.json');
    world.git('commit', '-qm', 'mode');
    keys.push(await keyNow());
    expect(new Set(keys).size).toBe(4);
  });

  test('changes with commands, network, outputs, variables and the place where the commands run', async () => {
    const keys = [
      await keyNow(),
      await keyNow({ commands: ['npm ci --omit=dev'] }),
      await keyNow({ network: 'registries' }),
      await keyNow({ outputs: ['node_modules', 'dist'] }),
      await keyNow({}, { variables: { NODE_ENV: 'production' } }),
      await keyNow({}, { place: 'another image' }),
    ];
    expect(new Set(keys).size).toBe(6);
  });

  test('is refused where inputs are named and none is there', async () => {
    await expect(keyNow({ inputs: ['pakage.json'] })).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining('checks.bootstrap.inputs (pakage.json) match no file'),
    });
    expect(await keyNow({ inputs: [] })).toMatch(/^[0-9a-f]{64}$/);
  });
});
