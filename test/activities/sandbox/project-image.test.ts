import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { examineImage, unfitImage } from '../../../activities/sandbox/examine-image.ts';
import { unlessStatus } from '../../../activities/sandbox/engine.ts';
import { pinImage, unpinImage } from '../../../activities/sandbox/image-pins.ts';
import { ensureProjectImage, findProjectImage, restoreImage } from '../../../activities/sandbox/project-image.ts';
import { storedImages } from '../../../activities/sandbox/stored-images.ts';
import { pruneImages } from '../../../activities/sandbox/prune-images.ts';
import { homeOf } from '../../../activities/home.ts';
import { configSchema, type Config } from '../../../core/config.ts';
import type { RunImage } from '../../../core/run-image.ts';
import { describeWithDocker } from '../../support/docker.ts';
import { ImageBench } from '../../support/image-bench.ts';
import { digestOf, tinyImage, TinyRegistry } from '../../support/tiny-image.ts';

const PATIENCE = 600_000;

describeWithDocker('the image of a project', () => {
  let bench: ImageBench;
  let worker: string;

  beforeAll(async () => {
    bench = new ImageBench();
    worker = await bench.worker();
  }, PATIENCE);
  afterAll(async () => {
    await bench.close();
  });

  const configure = (sandbox: object): Config => ({ ...configSchema.parse({ sandbox }), project: bench.name });
  const request = (sandbox: object) => {
    const { engine, repository } = bench;
    return { engine, repository, config: configure(sandbox) };
  };

  test('is built from its Dockerfile with each line of the build, and again only when an input changed', async () => {
    bench.write('docker/Dockerfile', `ARG BASE\nFROM \${BASE}\nCOPY one /one\n`);
    bench.write('docker/one', '1');
    const asked = request({ dockerfile: 'docker/Dockerfile', build_args: { BASE: worker } });
    expect(await findProjectImage(asked)).toBeNull();
    const told: string[] = [];
    const onProgress = (line: string): number => told.push(line);
    const onDetail = (line: string): number => told.push(`  ${line}`);
    const first = await ensureProjectImage({ ...asked, onProgress, onDetail });
    expect(first).toMatchObject({ built: true, digest: null });
    expect(first.reference).toMatch(new RegExp(`^signalbox/project:${bench.name}\\.\\.[0-9a-f]{16}$`));
    expect(told[0]).toBe(`Building the image of docker/Dockerfile from ${worker}`);
    expect(told.join('\n')).toMatch(/ {2}Step 3\/4 : COPY one \/one\n[^]*Successfully built/);
    const same = { reference: first.reference, id: first.id };
    expect(await ensureProjectImage(asked)).toMatchObject({ ...same, built: false });
    expect(await findProjectImage(asked)).toMatchObject(same);
    bench.write('docker/one', '2');
    expect(await findProjectImage(asked)).toBeNull();
    const second = await ensureProjectImage(asked);
    expect([second.built, second.id === first.id]).toEqual([true, false]);
  });

  test('is built again when its base is another one by now, and not because the engine has lost it', async () => {
    const base = `${bench.name}/base:latest`;
    await bench.build(base, 'old-base', worker);
    bench.write('plain/Dockerfile', `FROM ${base}\nCOPY one /one\n`);
    bench.write('plain/one', '1');
    const asked = request({ dockerfile: 'plain/Dockerfile' });
    const first = await ensureProjectImage(asked);
    await bench.build(base, 'new-base', worker);
    const second = await ensureProjectImage(asked);
    expect([second.built, second.id === first.id]).toEqual([true, false]);
    await bench.remove(base);
    expect(await ensureProjectImage(asked)).toMatchObject({ id: second.id, built: false });
  });

  test('has a context of its own, and no file outside of the repository is read', async () => {
    bench.write('elsewhere/Dockerfile', `FROM ${worker}\nCOPY two /two\n`);
    bench.write('context/two', '2');
    const asked = { dockerfile: 'elsewhere/Dockerfile', build_context: 'context' };
    expect(await ensureProjectImage(request(asked))).toMatchObject({ built: true });
    for (const [dockerfile, message] of [
      ['../../etc/passwd', /outside of the repository|there is none/],
      ['/etc/passwd', 'lies outside of the repository'],
      ['none/Dockerfile', 'there is none'],
    ] as const) {
      const refused = ensureProjectImage(request({ dockerfile }));
      await expect(refused).rejects.toMatchObject({
        code: 'config',
        message: expect.stringMatching(message),
      });
    }
  });

  test('a build context that cannot be read is told as such', async () => {
    bench.write('unread/Dockerfile', `FROM ${worker}\n`);
    const asked = request({ dockerfile: 'unread/Dockerfile', build_context: 'unread/Dockerfile' });
    await expect(ensureProjectImage(asked)).rejects.toMatchObject({
      code: 'config',
      message: expect.stringMatching(/cannot be read: .*ENOTDIR/),
    });
  });

  test('a build that fails is told with the end of what it printed', async () => {
    bench.write('broken/Dockerfile', `FROM ${worker}\nCOPY nothing /nothing\n`);
    const building = ensureProjectImage(request({ dockerfile: 'broken/Dockerfile' }));
    await expect(building).rejects.toMatchObject({
      code: 'environment',
      message: expect.stringMatching(/broken\/Dockerfile failed: COPY failed[^]*Step 2\/3 : COPY nothing/),
    });
  });

  test('a base that neither the engine nor a registry has is named', async () => {
    bench.write('based/Dockerfile', 'FROM localhost:1/nothing:here\n');
    const building = ensureProjectImage(request({ dockerfile: 'based/Dockerfile' }));
    await expect(building).rejects.toMatchObject({
      code: 'environment',
      message: expect.stringContaining('cannot pull localhost:1/nothing:here'),
      hint: expect.stringContaining('docker pull'),
    });
  });

  describeProblems();

  test('Signalbox’s own is built on the base that build_args name, which must have the Node that they promise', async () => {
    /** A base with something in the place of Node. */
    const based = async (node: string): Promise<string> => {
      bench.write('node/node', node, 0o755);
      bench.write('node/Dockerfile', `FROM ${worker}\nCOPY node /usr/local/bin/node\n`);
      return (await ensureProjectImage(request({ dockerfile: 'node/Dockerfile' }))).reference;
    };
    const old = await based('#!/bin/sh\necho v20.19.5\n');
    for (const [found, BASE] of [
      ['v20.19.5', old],
      ['none', await based('#!/bin/sh\nexit 127\n')],
    ] as const) {
      await expect(ensureProjectImage(request({ build_args: { BASE } }))).rejects.toMatchObject({
        code: 'environment',
        message: expect.stringContaining(
          `steps failed: a command ended with exit code 1: Node 24 is needed, and in the base there is ${found}\n`,
        ),
        hint: expect.stringMatching(/another base .*BASE.*NODE/),
      });
    }
    const asked = request({ build_args: { BASE: old, NODE: '20' } });
    const made = await ensureProjectImage(asked);
    try {
      expect(made).toMatchObject({ built: true, reference: expect.stringMatching(/^signalbox\/worker:[0-9a-f]{16}$/) });
      const layersOf = async (image: string): Promise<string[]> =>
        (await bench.engine.getImage(image).inspect()).RootFS.Layers ?? [];
      const below = await layersOf(old);
      expect((await layersOf(made.id)).slice(0, below.length)).toEqual(below);
      expect(await ensureProjectImage(asked)).toMatchObject({ id: made.id, built: false });
      expect((await ensureProjectImage(request({}))).reference).toBe(worker);
    } finally {
      await bench.remove(made.reference);
    }
  });

  test('a named image is what its tag means at that moment; where that is gone for good, it is said', async () => {
    const tag = `${bench.name}/named:latest`;
    const old = await bench.build(tag, 'one', worker);
    const asked = request({ image: tag });
    const found = await ensureProjectImage(asked);
    expect(found).toEqual({ reference: tag, id: old, digest: null, built: false });
    await bench.build(tag, 'two', worker);
    expect((await ensureProjectImage(asked)).id).not.toBe(old);
    await restoreImage(bench.engine, found, asked.config, {});
    await bench.remove(old);
    await expect(restoreImage(bench.engine, found, asked.config, {})).rejects.toMatchObject({
      code: 'environment',
      message: expect.stringContaining(`${tag} (${old.slice(7, 19)})`),
      hint: expect.stringContaining('run resume'),
    });
  });

  test('an image of a registry is pulled, known by its digest, and brought back by it when its tag means another one', async () => {
    const registry = new TinyRegistry();
    const name = `${await registry.start()}/${bench.name}`;
    try {
      const digest = registry.publish(bench.name, 'v1', await tinyImage('old', 'amd64'));
      const asked = request({ image: `${name}:v1` });
      const told: string[] = [];
      const pulled = await ensureProjectImage({ ...asked, onDetail: (line) => told.push(line) });
      const { config } = await tinyImage('old', 'amd64');
      expect(pulled).toEqual({
        reference: `${name}:v1`,
        id: digestOf(config),
        digest: `${name}@${digest}`,
        built: false,
      });
      expect(told).toContainEqual(expect.stringMatching(/^1 of 1 layers/));
      registry.publish(bench.name, 'v1', await tinyImage('new', 'amd64'));
      expect((await ensureProjectImage(asked)).id).toBe(pulled.id);
      const fresh = await ensureProjectImage({ ...asked, refresh: true });
      expect(fresh.id).not.toBe(pulled.id);
      await bench.remove(pulled.id);
      expect(await unlessStatus(bench.engine.getImage(pulled.id).inspect(), 404)).toBeNull();
      await restoreImage(bench.engine, pulled, asked.config, {});
      expect((await bench.engine.getImage(pulled.id).inspect()).Id).toBe(pulled.id);
      expect((await ensureProjectImage(asked)).id).toBe(fresh.id);
    } finally {
      await registry.stop();
    }
  });

  test('an image is kept by the pin of a run after its tag moved on, listed with the run, and goes with its pin', async () => {
    const home = homeOf({ SIGNALBOX_HOME: `${bench.repository}/home` });
    const tag = `${bench.name}/pinned:latest`;
    const id = await bench.build(tag, 'pinned-one', worker);
    const pin = { project: bench.name, run: 'r1' };
    await pinImage(bench.engine, home, pin, id);
    await bench.build(tag, 'pinned-two', worker);
    const [listed] = (await storedImages(bench.engine, home)).filter((image) => image.id === id);
    expect(listed).toMatchObject({ kind: 'named', tags: [], pins: [pin], elsewhere: [] });
    await unpinImage(bench.engine, home, pin);
    await unpinImage(bench.engine, home, pin);
    expect(await unlessStatus(bench.engine.getImage(id).inspect(), 404)).toBeNull();
  });

  test('an old image of a Dockerfile is pruned when no run needs it, neither here nor of another home', async () => {
    const [home, other] = ['home', 'other'].map((name) => homeOf({ SIGNALBOX_HOME: `${bench.repository}/${name}` }));
    if (home === undefined || other === undefined) throw new Error('there are two homes');
    bench.write('pruned/Dockerfile', `FROM ${worker}\nCOPY one /pruned\n`);
    bench.write('pruned/one', 'p');
    const { id } = await ensureProjectImage(request({ dockerfile: 'pruned/Dockerfile' }));
    const pin = { project: bench.name, run: 'r2' };
    const prune = async (
      living: boolean,
      dryRun = false,
    ): Promise<{ removed: string[]; reason: string | undefined }> => {
      const { engine, name: project } = bench;
      const isLiving = (): Promise<boolean> => Promise.resolve(living);
      const { removed, kept } = await pruneImages(engine, home, { ageMs: 0, project, isLiving, dryRun });
      return { removed: removed.map((image) => image.id), reason: kept.find(({ image }) => image.id === id)?.reason };
    };
    await pinImage(bench.engine, home, pin, id);
    expect(await prune(true)).toEqual({
      removed: expect.not.arrayContaining([id]),
      reason: `run r2 of ${bench.name} is not known to be over`,
    });
    await pinImage(bench.engine, other, pin, id);
    expect((await prune(false)).reason).toContain('another Signalbox');
    await unpinImage(bench.engine, other, pin);
    expect((await prune(false, true)).removed).toContain(id);
    expect((await prune(false)).removed).toContain(id);
    expect(await unlessStatus(bench.engine.getImage(id).inspect(), 404)).toBeNull();
  });

  function describeProblems(): void {
    const examine = async (
      sandbox: object,
    ): Promise<{ image: RunImage; problems: Awaited<ReturnType<typeof examineImage>> }> => {
      const image = await ensureProjectImage(request(sandbox));
      const home = homeOf({ SIGNALBOX_HOME: `${bench.repository}/home` });
      const user = { uid: 65532, gid: 65532 };
      const { engine } = bench;
      return { image, problems: await examineImage({ engine, home, id: image.id, user, config: configure(sandbox) }) };
    };

    test('an image that misses things is told all of them; Signalbox’s own misses nothing', async () => {
      bench.write('poor/broken', '#!/bin/sh\nexit 1\n', 0o755);
      bench.write('poor/none', '');
      const missing = ['rg', 'socat', 'perl', 'awk'].map((tool) => `COPY none /usr/bin/${tool}\n`).join('');
      bench.write('poor/Dockerfile', `FROM ${worker}\n${missing}COPY broken /usr/bin/git\n`);
      const { image, problems } = await examine({ dockerfile: 'poor/Dockerfile' });
      expect(problems.map(({ severity, message }) => `${severity}: ${message.split(':')[0] ?? ''}`)).toEqual([
        'error: there is no perl nor awk',
        'error: git is there, but does not work for user 65532',
        'error: there is no socat',
        'warning: there is no rg',
      ]);
      expect(problems[2]?.hint).toContain('apt-get install -y socat');
      expect(unfitImage(image, problems).message).toMatch(
        /cannot work in the image signalbox\/project:.*\n {2}there is no perl/,
      );
      expect((await examine({})).problems).toEqual([]);
    });

    test('an image without a shell, and one for another processor, are told as such', async () => {
      bench.write('empty/Dockerfile', 'FROM scratch\nCOPY none /none\n');
      bench.write('empty/none', '');
      const said = async (sandbox: object): Promise<string[]> =>
        (await examine(sandbox)).problems.map(({ severity, message }) => `${severity} ${message}`);
      expect(await said({ dockerfile: 'empty/Dockerfile' })).toEqual([
        expect.stringMatching(/^error it has no shell that works at \/bin\/sh/),
      ]);
      const image = `${bench.name}/foreign:latest`;
      await bench.load(image, 's390x');
      expect(await said({ image })).toEqual([
        expect.stringMatching(/^error it is for s390x, and the engine runs \w+$/),
      ]);
    });
  }
});
