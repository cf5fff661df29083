import { Client } from '@temporalio/client';
import { loadProject } from '../activities/catalogue/project.ts';
import { homeOf } from '../activities/home.ts';
import { connectEngine, probeEngine } from '../activities/sandbox/engine.ts';
import type { ImagePin } from '../activities/sandbox/image-pins.ts';
import { pruneImages as pruneStored } from '../activities/sandbox/prune-images.ts';
import { storedImages, type StoredImage } from '../activities/sandbox/stored-images.ts';
import { parseDuration } from '../core/duration.ts';
import { SignalboxError } from '../core/failures.ts';
import type { RunImage } from '../core/run-image.ts';
import { pinnedRun } from './run-image-pins.ts';
import { makeImage, type ImageRequest, type MadeImage } from './sandbox-image.ts';
import { RETENTION_DAYS } from './server/namespace.ts';
import { connectTemporal } from './server/reach.ts';
import { findTarget } from './session.ts';
import { boundOf } from './snapshots.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** An image of this host's engine, as `image list` tells it. Times are ISO 8601. */
export interface ImageView {
  /** The engine's name of its content. */
  id: string;
  tags: string[];
  /** As its registry knows it; `null` if it was made here. */
  digest: string | null;
  /** Signalbox's own, the base of that, of a project's Dockerfile; or `named`: not made by Signalbox. */
  kind: StoredImage['kind'];
  bytes: number;
  created_at: string;
  last_used_at: string;
  /** The runs that are pinned to it and not known to be over. */
  runs: ImagePin[];
  /** The names by which other Signalbox homes on this engine keep it for runs of theirs. */
  used_elsewhere: string[];
  /** The containers that there are of it. */
  containers: string[];
}

/** What was removed, or would be. */
export interface ImagePruneReport {
  dry_run: boolean;
  removed: ImageView[];
  /** What is old enough and stays all the same. */
  kept: { id: string; tags: string[]; reason: string }[];
  /** Bytes of the images that are left, with what they share. */
  bytes: number;
}

/** The images that Signalbox made on this host's engine, or that its runs use, the last used first. */
export async function listImages(env: Env): Promise<ImageView[]> {
  return (await storedImages(await usableEngine(env), homeOf(env))).map(viewOf);
}

/**
 * Removes images that Signalbox made and that nothing needs.
 *
 * @param options `ageMs`: since the last use, by default `SIGNALBOX_IMAGES_AGE`, or 30 days; `project`: only those of its
 *   Dockerfile
 * @throws SignalboxError `environment` if no engine answers
 */
export async function pruneImages(
  env: Env,
  options: { ageMs?: number; project?: string; dryRun: boolean; onProgress: (text: string) => void },
): Promise<ImagePruneReport> {
  const { ageMs = boundOf(env, 'SIGNALBOX_IMAGES_AGE', parseDuration) ?? 30 * 86_400_000 } = options;
  const { dryRun, project } = options;
  const runs = new RunLookup(env, options.onProgress);
  try {
    const isLiving = (pin: ImagePin, usedAt: number): Promise<boolean> => runs.mayLive(pin, usedAt);
    const engine = await usableEngine(env);
    const bounds = { ageMs, dryRun, isLiving, ...(project === undefined ? {} : { project }) };
    const { removed, kept, left } = await pruneStored(engine, homeOf(env), bounds);
    return {
      dry_run: dryRun,
      removed: removed.map(viewOf),
      kept: kept.map(({ image: { id, tags }, reason }) => ({ id, tags, reason })),
      bytes: left.reduce((sum, image) => sum + image.bytes, 0),
    };
  } finally {
    await runs.close();
  }
}

/** The image of a project's steps, and what it lacks. */
export interface BuiltImage extends RunImage, Omit<MadeImage, 'image'> {}

/**
 * Builds or pulls the image of the steps of the project in `directory`, unless the engine has it, and looks what it lacks.
 *
 * @throws what `makeImage` throws
 */
export async function buildProjectImage(
  directory: string,
  request: Omit<ImageRequest, 'project' | 'config'>,
): Promise<BuiltImage> {
  const project = loadProject(directory, { env: request.env });
  const { image, ...made } = await makeImage({ ...request, project, config: project.config });
  return { ...image, ...made };
}

async function usableEngine(env: Env): Promise<ReturnType<typeof connectEngine>> {
  const engine = connectEngine(env);
  const probe = await probeEngine(engine);
  if (!probe.available) throw new SignalboxError('environment', probe.reason, { hint: probe.hint });
  return engine;
}

/** Asks the server about runs; connects when it is first asked. */
class RunLookup {
  readonly #env: Env;
  readonly #onProgress: (text: string) => void;
  #client: Promise<Client | null> | null = null;

  constructor(env: Env, onProgress: (text: string) => void) {
    this.#env = env;
    this.#onProgress = onProgress;
  }

  /**
   * Is a run not known to be over? Where no server answers, none is; one that the server does not know is over when it may
   * have been forgotten: another server may know it until then.
   */
  async mayLive(pin: ImagePin, usedAt: number): Promise<boolean> {
    this.#client ??= this.#connect();
    const client = await this.#client;
    const state = client === null ? 'living' : await pinnedRun(client, pin);
    return state === 'living' || (state === 'unknown' && Date.now() - usedAt < RETENTION_DAYS * 86_400_000);
  }

  async close(): Promise<void> {
    // A connection that is lost already is closed enough.
    await (await this.#client)?.connection.close().catch(() => undefined);
  }

  async #connect(): Promise<Client | null> {
    const [env, onProgress] = [this.#env, this.#onProgress];
    try {
      const { connection, namespace } = await findTarget(homeOf(env), { env, startServer: false, onProgress });
      return new Client({ connection: await connectTemporal(connection), namespace });
    } catch (error) {
      if (!(error instanceof SignalboxError)) throw error;
      onProgress(`Whether runs are over cannot be asked, so their images stay: ${error.message}`);
      return null;
    }
  }
}

function viewOf(image: StoredImage): ImageView {
  return {
    id: image.id,
    tags: image.tags,
    digest: image.digest,
    kind: image.kind,
    bytes: image.bytes,
    created_at: new Date(image.createdAt).toISOString(),
    last_used_at: new Date(image.usedAt).toISOString(),
    runs: image.pins,
    used_elsewhere: image.elsewhere,
    containers: image.containers,
  };
}
