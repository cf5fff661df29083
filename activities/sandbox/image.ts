import { readFileSync } from 'node:fs';
import path from 'node:path';
import type Docker from 'dockerode';
import { SignalboxError } from '../../core/failures.ts';
import { packageRoot } from '../package-root.ts';
import { BASE_TAGS, buildLocalBase, localBaseProblem } from './base-image.ts';
import { readBuildContext } from './build-context.ts';
import { ensureBuilt, type ImageRecipe, type WorkerImage } from './build-image.ts';
import { engineFailure, unlessStatus } from './engine.ts';
import type { ImageProgress } from './image-progress.ts';
import { pullImage } from './pull-image.ts';

/** The base where a registry can be reached, as the Dockerfile says it. */
const REGISTRY_BASE = 'node:24-bookworm-slim';

/** What the tags of Signalbox's own image begin with. */
export const WORKER_TAGS = 'signalbox/worker:';

/** What {@link ensureImage} needs. */
export interface ImageOptions extends ImageProgress {
  engine: Docker;
  /**
   * What the `ARG`s of `docker/Dockerfile` are set to: `BASE` is a base image instead of the default one, `NODE` the major
   * version of Node that it has to have.
   */
  args?: Readonly<Record<string, string>>;
  /** Look for a newer base first. */
  refresh?: boolean;
}

/**
 * Makes sure that the engine has the image of `docker/Dockerfile` as it is now, building it if its inputs changed.
 *
 * @throws SignalboxError `environment`, with what to do, if there is no base to build it from
 */
export async function ensureImage(options: ImageOptions): Promise<WorkerImage> {
  const { engine, args = {}, refresh = false, ...progress } = options;
  const recipe = await workerRecipe(args);
  const obtain = async ([base = REGISTRY_BASE]: readonly string[]): Promise<Readonly<Record<string, string>>> =>
    base === REGISTRY_BASE
      ? { ...args, ...(await chooseBase(engine, args, refresh, progress)) }
      : await obtainBases(engine, [base], args, refresh, progress);
  try {
    return await ensureBuilt(engine, recipe, { ...progress, refresh, obtain });
  } catch (error) {
    throw engineFailure(error, 'building the image of steps');
  }
}

/** What Signalbox's own image is built from. */
export async function workerRecipe(args: Readonly<Record<string, string>>): Promise<ImageRecipe> {
  return {
    what: 'the image of steps',
    tags: WORKER_TAGS,
    dockerfile: readFileSync(path.join(packageRoot(), 'docker', 'Dockerfile'), 'utf8'),
    args,
    context: await readBuildContext(null),
    mend: 'Name another base of the Debian family in sandbox.build_args (BASE), and the major version of its Node (NODE).',
    isOffline: ({ BASE = '' }) => BASE.startsWith(BASE_TAGS),
  };
}

/**
 * Sees to it that the engine has these images.
 *
 * @param refresh look for newer ones; one that cannot be pulled, but is there, is kept
 * @returns the arguments, unchanged
 */
export async function obtainBases(
  engine: Docker,
  bases: readonly string[],
  args: Readonly<Record<string, string>>,
  refresh: boolean,
  progress: ImageProgress,
): Promise<Readonly<Record<string, string>>> {
  for (const base of bases) {
    const found = await unlessStatus(engine.getImage(base).inspect(), 404);
    if (found !== null && !refresh) continue;
    try {
      await pullImage(engine, base, progress);
    } catch (error) {
      if (found === null) throw error;
      progress.onProgress?.(`${base} cannot be pulled: the one that the engine has is used`);
    }
  }
  return args;
}

/** The default base if the engine has it or can pull it, else one made on this machine, with the machine's Node. */
async function chooseBase(
  engine: Docker,
  args: Readonly<Record<string, string>>,
  refresh: boolean,
  progress: ImageProgress,
): Promise<Readonly<Record<string, string>>> {
  try {
    await obtainBases(engine, [REGISTRY_BASE], {}, refresh, progress);
    return { BASE: REGISTRY_BASE };
  } catch (error) {
    const problem = localBaseProblem();
    if (problem !== null) {
      const why = error instanceof Error ? error.message : String(error);
      throw new SignalboxError('environment', `${why}, and ${problem}`, {
        hint: 'use --backend local, or name an image that the engine has in sandbox.image',
        cause: error,
      });
    }
    const [ownNode = ''] = process.versions.node.split('.');
    return { NODE: ownNode, ...args, BASE: await buildLocalBase(engine, progress) };
  }
}
