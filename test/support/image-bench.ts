import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { homeOf } from '../../activities/home.ts';
import { DOCKERFILE, readBuildContext } from '../../activities/sandbox/build-context.ts';
import { connectEngine, unlessStatus } from '../../activities/sandbox/engine.ts';
import { ensureImage } from '../../activities/sandbox/image.ts';
import { pinsAmong, unpinImage } from '../../activities/sandbox/image-pins.ts';
import { followProgress } from '../../activities/sandbox/image-progress.ts';
import { dockerAnswers } from './docker.ts';
import { archiveOf, imageOf, tinyImage, type TinyImage } from './tiny-image.ts';

/** What steps need, and the agents and checks of tests call. */
const SMALL = ['cat', 'cmp', 'cp', 'grep', 'head', 'rm', 'sleep', 'timeout', 'awk', 'git'];

/** A repository with a Dockerfile, and images of a name that no other test has; all of it goes in the end. */
export class ImageBench {
  readonly engine: Docker = connectEngine(process.env);
  /** A project's id, and a name for images, of this bench alone. */
  readonly name = `images-${randomUUID().slice(0, 8)}`;
  readonly repository = mkdtempSync(path.join(tmpdir(), 'signalbox-images-'));

  /** The tag of Signalbox's own image, which is built if need be. */
  async worker(): Promise<string> {
    return (await ensureImage({ engine: this.engine })).reference;
  }

  write(file: string, text: string, mode = 0o644): void {
    mkdirSync(path.dirname(path.join(this.repository, file)), { recursive: true });
    writeFileSync(path.join(this.repository, file), text, { mode });
  }

  /** Builds an image as a user does, with a file in it that nobody can run. @returns its content digest */
  async build(tag: string, marker: string, from: string, place = '/marker'): Promise<string> {
    const directory = path.join(this.repository, 'outside', marker);
    mkdirSync(directory, { recursive: true });
    writeFileSync(path.join(directory, 'marker'), `${marker}\n`);
    const { pack } = await readBuildContext(directory);
    const stream = await this.engine.buildImage(pack(`FROM ${from}\nCOPY marker ${place}\n`), {
      t: tag,
      dockerfile: DOCKERFILE,
    });
    await followProgress(stream);
    return (await this.engine.getImage(tag).inspect()).Id;
  }

  /** Makes a small image in which steps run, out of what Signalbox's own one has; the engine does not have it yet. */
  async small(marker: string): Promise<TinyImage> {
    const directory = path.join(this.repository, 'small');
    mkdirSync(directory, { recursive: true });
    const script = `set -e; echo '${marker}' >/tmp/marker
      programs="/bin/sh $(for tool in ${SMALL.join(' ')}; do command -v "$tool"; done)"
      libraries=$(ldd $programs | grep -o '/lib[^ :]*' | sort -u)
      tar -chf /small/layer.tar $programs $libraries -C /tmp marker`;
    const container = await this.engine.createContainer({
      ...{ Image: await this.worker(), Cmd: ['sh', '-c', script] },
      HostConfig: { Binds: [`${directory}:/small`], NetworkMode: 'none' },
    });
    try {
      await container.start();
      const { StatusCode } = (await container.wait()) as { StatusCode: number };
      if (StatusCode !== 0) throw new Error((await container.logs({ stderr: true })).toString());
    } finally {
      await container.remove({ force: true });
    }
    const { Arch } = await this.engine.version();
    return imageOf(readFileSync(path.join(directory, 'layer.tar')), Arch);
  }

  /** Loads an image for another processor. */
  async load(tag: string, architecture: string): Promise<void> {
    const archive = await archiveOf(await tinyImage('loaded', architecture), tag);
    await followProgress(await this.engine.loadImage(Readable.from([archive])));
  }

  /** Removes an image by name or id. */
  async remove(image: string): Promise<void> {
    await unlessStatus(this.engine.getImage(image).remove({ force: true }), 404, 409);
  }

  async close(): Promise<void> {
    const images = (await this.engine.listImages()).map(({ Id, RepoTags, RepoDigests }) => {
      const names = [...((RepoTags as string[] | null) ?? []), ...((RepoDigests as string[] | null) ?? [])];
      return { id: Id, names: names.filter((name) => name.includes(this.name)) };
    });
    const own = new Set(images.filter(({ names }) => names.length > 0).map(({ id }) => id));
    // What a build that failed came to has no name, and keeps what it was built on.
    for (const { Id, ParentId } of await this.engine.listImages({ filters: { dangling: ['true'] } }))
      if (own.has(ParentId)) await this.remove(Id);
    for (const { names } of images) for (const name of names) await this.remove(name);
    rmSync(this.repository, { recursive: true, force: true });
  }
}

/** Takes away the names by which runs of a home keep their images; does nothing where no engine answers. */
export async function removePins(home: string): Promise<void> {
  if (!dockerAnswers) return;
  const engine = connectEngine(process.env);
  const own = homeOf({ SIGNALBOX_HOME: home });
  for (const { RepoTags } of await engine.listImages())
    for (const pin of pinsAmong(own, (RepoTags as string[] | null) ?? []).pins) await unpinImage(engine, own, pin);
}
