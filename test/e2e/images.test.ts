import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RunDescription } from '../../core/description.ts';
import type { BuiltImage, ImagePruneReport, ImageView } from '../../workers/images.ts';
import { CliWorld, type CliResult } from '../support/cli.ts';
import { describeWithDocker } from '../support/docker.ts';
import { ImageBench, removePins } from '../support/image-bench.ts';
import { contentsBelow, found } from '../support/leftovers.ts';
import { digestOf, tinyImage, TinyRegistry } from '../support/tiny-image.ts';

const PATIENCE = 180_000;

/** Takes what the image says along; a check that finds another image than the agent did is red. */
const AGENT = 'cat > /dev/null; cp /marker got-$SIGNALBOX_RUN_ID-$SIGNALBOX_TASK_ID.txt';
const DOCTOR = 'for file in got-$SIGNALBOX_RUN_ID-*.txt; do cmp $file /marker || exit 1; done';

describeWithDocker('the image of a run', () => {
  let world: CliWorld;
  let bench: ImageBench;
  let worker: string;
  let tag: string;

  beforeAll(async () => {
    bench = new ImageBench();
    worker = await bench.worker();
    tag = `${bench.name}/steps:latest`;
    world = new CliWorld().init();
    const own = (id: string): string => `files: { writes: ["got-*-${id}.txt"] }`;
    configure(`image: ${tag}`);
    world
      .task('001', own('001'))
      .task('002', `depends_on: ["001"]\napproval: start\n${own('002')}`)
      .commit('tasks');
  }, PATIENCE);

  afterAll(async () => {
    world.killWorkers();
    await world.signalbox('server', 'stop');
    await removePins(world.home);
    await bench.close();
    world.remove();
  });

  function configure(image: string): void {
    world.write(
      '.signalbox/config.yaml',
      `version: 1\nproject: ${bench.name}\nagent: { provider: command, command: ${JSON.stringify(AGENT)} }\n` +
        `run: { attempts: 1 }\nchecks: { doctor: ${JSON.stringify(DOCTOR)} }\n` +
        `sandbox: { backend: docker, network: none, ${image} }\n`,
    );
  }

  /** Starts a run, which waits for a word before its second task. */
  async function start(run: string): Promise<RunDescription> {
    const started = await world.signalbox('run', 'start', '--run-id', run, '--no-reuse', '-o', 'json');
    expect({ code: started.code, error: started.json?.error }).toEqual({ code: 4, error: undefined });
    return started.json?.result as RunDescription;
  }

  async function finish(run: string): Promise<CliResult> {
    expect((await world.signalbox('task', 'approve', '002', '--run', run)).code).toBe(0);
    return await world.signalbox('run', 'watch', run, '-o', 'json');
  }

  async function listed(): Promise<ImageView[]> {
    return ((await world.signalbox('image', 'list', '-o', 'json')).json?.result as { images: ImageView[] }).images;
  }

  async function prune(): Promise<ImagePruneReport> {
    const asked = ['image', 'prune', '--max-age', '0s', '--project', bench.name, '-o', 'json'];
    return (await world.signalbox(...asked)).json?.result as ImagePruneReport;
  }

  const got = (run: string, task: string): string =>
    readFileSync(path.join(world.repository, `got-${run}-${task}.txt`), 'utf8');

  test(
    'is what its tag meant when the run started, also where the tag moves in the middle',
    async () => {
      const id = await bench.build(tag, 'before', worker);
      const { image } = await start('moved');
      expect(image).toEqual({ reference: tag, id, digest: null });
      await bench.build(tag, 'after', worker);
      const mine = (await listed()).find((view) => view.id === id);
      expect(mine).toMatchObject({ kind: 'named', tags: [], runs: [{ project: bench.name, run: 'moved' }] });
      const { code, json } = await finish('moved');
      expect([code, (json?.result as RunDescription).image]).toEqual([0, image]);
      expect([got('moved', '001'), got('moved', '002')]).toEqual(['before\n', 'before\n']);
      expect((await world.signalbox('run', 'describe', 'moved')).stdout).toContain(id.slice(7, 19));
      // Nothing else names it any more: it goes with the last of the run.
      const cleaned = await world.signalbox('clean', '--run', 'moved', '-o', 'json');
      expect(cleaned.stdout).toMatch(/image tag signalbox\/run-[0-9a-f]{8}:.*\.\.moved/);
      expect((await listed()).filter((view) => view.id === id)).toEqual([]);
    },
    PATIENCE,
  );

  test(
    'of a registry is in the run’s record by its digest, and is brought back by that when its tag means another one',
    async () => {
      const registry = new TinyRegistry();
      const name = `${await registry.start()}/${bench.name}`;
      try {
        const small = await bench.small('of the registry');
        const digest = `${name}@${registry.publish(bench.name, 'v1', small)}`;
        configure(`image: ${name}:v1`);
        world.commit('an image of a registry');
        const { image } = await start('registered');
        expect(image).toEqual({ reference: `${name}:v1`, id: digestOf(small.config), digest });
        registry.publish(bench.name, 'v1', await tinyImage('moved', 'amd64'));
        await bench.remove(image?.id ?? '');
        expect((await finish('registered')).code).toBe(0);
        expect([got('registered', '001'), got('registered', '002')]).toEqual(Array(2).fill('of the registry\n'));
        const described = await world.signalbox('run', 'describe', 'registered', '-o', 'json');
        expect((described.json?.result as RunDescription).image).toEqual(image);
        const manifests = [...contentsBelow(path.join(world.home, 'artefacts'))];
        expect(found([JSON.stringify({ image }).slice(1, -1)], manifests)).toHaveLength(1);
      } finally {
        await registry.stop();
      }
    },
    PATIENCE,
  );

  test(
    'is built from the project’s Dockerfile, kept from pruning while the run lives, and pruned after it',
    async () => {
      configure('dockerfile: image/Dockerfile');
      world.write('image/Dockerfile', `FROM ${worker}\nCOPY marker /marker\n`).write('image/marker', 'first\n');
      world.commit('a Dockerfile');
      const { image } = await start('built');
      expect(image?.reference).toContain(`signalbox/project:${bench.name}..`);
      world.write('image/marker', 'second\n');
      const built = await world.signalbox('image', 'build', '-o', 'json');
      const newer = built.json?.result as BuiltImage;
      expect([built.code, newer.built, newer.problems, newer.id === image?.id]).toEqual([0, true, [], false]);
      expect(built.stderr).toMatch(/Step 2\/3 : COPY marker \/marker/);
      const first = await prune();
      expect(first.removed.map(({ id }) => id)).toEqual([newer.id]);
      expect(first.kept).toMatchObject([
        { id: image?.id, reason: `run built of ${bench.name} is not known to be over` },
      ]);
      world.git('checkout', '-q', 'image/marker');
      expect((await finish('built')).code).toBe(0);
      expect([got('built', '001'), got('built', '002')]).toEqual(['first\n', 'first\n']);
      expect((await prune()).removed.map(({ id }) => id)).toEqual([image?.id]);
    },
    PATIENCE,
  );

  test(
    'that is removed in the middle fails the task with what to do, and resuming the run goes on in the one there is',
    async () => {
      const { image } = await start('lost');
      await bench.remove(image?.id ?? '');
      const failed = (await finish('lost')).json?.result as RunDescription;
      expect(failed.status).toBe('failed');
      expect(failed.tasks['002']?.reason).toContain('the image that the run is pinned to is gone');
      const resumed = await world.signalbox('run', 'resume', 'lost', '-o', 'json');
      expect(resumed.stderr).toMatch(/is gone: .* It goes on in signalbox\/project:/);
      const { code, json } = await world.signalbox('run', 'watch', 'lost', '-o', 'json');
      const ended = json?.result as RunDescription;
      expect([code, ended.status, ended.image?.id === image?.id]).toEqual([0, 'completed', false]);
    },
    PATIENCE,
  );

  test('that misses what steps need stops the run before it starts, with all that it misses; the doctor says so', async () => {
    world.write('image/nothing', '');
    world.write('image/Dockerfile', `FROM ${worker}\nCOPY nothing /usr/bin/git\nCOPY nothing /usr/bin/timeout\n`);
    const started = await world.signalbox('run', 'start', '--run-id', 'unfit', '--no-reuse', '-o', 'json');
    expect([started.code, started.json?.error]).toMatchObject([
      3,
      { code: 'environment', message: expect.stringMatching(/there is no timeout[^]*there is no git/) },
    ]);
    const built = await world.signalbox('image', 'build');
    expect([built.code, built.stdout]).toEqual([3, expect.stringMatching(/error: there is no timeout[^]*apt-get/)]);
    const { code, stdout } = await world.signalbox('doctor');
    expect([code, stdout]).toEqual([3, expect.stringMatching(/error image .*there is no git/)]);
  });
});
