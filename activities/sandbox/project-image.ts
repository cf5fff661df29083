import { readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import type Docker from 'dockerode';
import type { Config } from '../../core/config.ts';
import { SignalboxError } from '../../core/failures.ts';
import type { RunImage } from '../../core/run-image.ts';
import { humanSize } from '../../core/size.ts';
import { isBelow } from '../is-below.ts';
import { codeOf } from '../system-errors.ts';
import { readBuildContext } from './build-context.ts';
import { ensureBuilt, findBuilt, type ImageRecipe } from './build-image.ts';
import { engineFailure, unlessStatus } from './engine.ts';
import { ensureImage, obtainBases, workerRecipe } from './image.ts';
import { oneLine, type ImageProgress } from './image-progress.ts';
import { pullImage } from './pull-image.ts';

/** What the tags of images begin with that are built from projects' Dockerfiles; the project's id follows. */
export const PROJECT_TAGS = 'signalbox/project:';

/** A context of more than this makes every build slow, bytes. */
const LARGE_CONTEXT = 500 * 1024 ** 2;

/** What {@link ensureProjectImage} needs. */
export interface ProjectImageOptions extends ImageProgress {
  engine: Docker;
  config: Pick<Config, 'project' | 'sandbox'>;
  /** The user's repository, where the Dockerfile lies. */
  repository: string;
  /** Look for newer images first: the one that is named, or the bases of one that is built. */
  refresh?: boolean;
}

/**
 * The image that a project's steps are to run in, as the configuration says it now: the named one, pulled if the engine
 * does not have it; one built from the project's Dockerfile; or Signalbox's own.
 *
 * @throws SignalboxError `environment` if it cannot be had, `config` for a Dockerfile that is not there
 */
export async function ensureProjectImage(options: ProjectImageOptions): Promise<RunImage & { built: boolean }> {
  const { engine, config, repository, refresh = false, ...progress } = options;
  const { image, dockerfile, build_args: args = {} } = config.sandbox;
  if (image !== undefined) return { ...(await namedImage(engine, image, refresh, progress)), built: false };
  if (dockerfile === undefined) return { ...(await ensureImage({ engine, args, refresh, ...progress })), digest: null };
  const recipe = await projectRecipe(config, repository, dockerfile);
  const { files, bytes } = recipe.context;
  if (bytes > LARGE_CONTEXT) {
    const size = `${files} files, ${humanSize(bytes)}`;
    progress.onProgress?.(`The build context of ${dockerfile} has ${size}: a .dockerignore makes it smaller`);
  }
  const obtain = (bases: readonly string[]): ReturnType<typeof obtainBases> =>
    obtainBases(engine, bases, args, refresh, progress);
  try {
    return { ...(await ensureBuilt(engine, recipe, { ...progress, refresh, obtain })), digest: null };
  } catch (error) {
    throw engineFailure(error, `building ${recipe.what}`);
  }
}

/**
 * The image that a project's steps would run in, if the engine has it: builds and pulls nothing.
 *
 * @throws SignalboxError `config` for a Dockerfile that is not there
 */
export async function findProjectImage({
  engine,
  config,
  repository,
}: Pick<ProjectImageOptions, 'engine' | 'config' | 'repository'>): Promise<RunImage | null> {
  const { image, dockerfile, build_args: args = {} } = config.sandbox;
  if (image !== undefined) return await resolveImage(engine, image);
  const own = dockerfile === undefined;
  const recipe = own ? await workerRecipe(args) : await projectRecipe(config, repository, dockerfile);
  const found = await findBuilt(engine, recipe);
  return found === null ? null : { reference: found.reference, id: found.id, digest: null };
}

async function projectRecipe(
  { project, sandbox }: ProjectImageOptions['config'],
  repository: string,
  dockerfile: string,
): Promise<ImageRecipe> {
  const { build_context: directory, build_args: args = {} } = sandbox;
  const file = within(repository, dockerfile, 'sandbox.dockerfile');
  const root = directory === undefined ? path.dirname(file) : within(repository, directory, 'sandbox.build_context');
  try {
    return {
      what: `the image of ${dockerfile}`,
      tags: `${PROJECT_TAGS}${project}..`,
      dockerfile: readFileSync(file, 'utf8'),
      args,
      context: await readBuildContext(root),
      mend: 'Mend the Dockerfile.',
    };
  } catch (error) {
    throw new SignalboxError('config', `what ${dockerfile} is built from cannot be read: ${oneLine(error)}`, {
      hint: 'Mend it, or name in a .dockerignore what the build does not need.',
      cause: error,
    });
  }
}

async function namedImage(
  engine: Docker,
  reference: string,
  refresh: boolean,
  progress: ImageProgress,
): Promise<RunImage> {
  try {
    await obtainBases(engine, [reference], {}, refresh, progress);
    const found = await resolveImage(engine, reference);
    if (found !== null) return found;
    throw new SignalboxError('environment', `there is no image ${reference}`, { retryable: true });
  } catch (error) {
    throw engineFailure(error, `image ${reference}`);
  }
}

/** What a name of an image means now; `null` if the engine does not have it. */
async function resolveImage(engine: Docker, reference: string): Promise<RunImage | null> {
  const found = await unlessStatus(engine.getImage(reference).inspect(), 404);
  if (found === null) return null;
  const { Id, RepoDigests } = found;
  const digests = (RepoDigests as string[] | null) ?? [];
  const repository = reference.replace(/@.*$/, '').replace(/:[^:/]*$/, '');
  const digest = digests.find((known) => known.startsWith(`${repository}@`)) ?? digests[0] ?? null;
  return { reference, id: Id, digest };
}

/**
 * Sees to it that the engine has exactly the image that a run is pinned to, which somebody may have removed since: from its
 * registry by its digest; or by building Signalbox's own again, if that comes out the same.
 *
 * @throws SignalboxError `environment` with what to do
 */
export async function restoreImage(
  engine: Docker,
  image: RunImage,
  config: Pick<Config, 'sandbox'>,
  progress: ImageProgress,
): Promise<void> {
  const isThere = async (): Promise<boolean> => (await unlessStatus(engine.getImage(image.id).inspect(), 404)) !== null;
  if (await isThere()) return;
  const { image: named, dockerfile, build_args: args = {} } = config.sandbox;
  try {
    if (image.digest !== null) await pullImage(engine, image.digest, progress);
    else if (named === undefined && dockerfile === undefined) await ensureImage({ engine, args, ...progress });
  } catch (error) {
    progress.onProgress?.(`The image ${image.reference} could not be made again: ${String(error)}`);
  }
  if (!(await isThere())) throw lostImage(image);
}

/** The failure of steps whose run is pinned to an image that the engine has lost. */
export function lostImage({ reference, id }: Pick<RunImage, 'reference' | 'id'>): SignalboxError {
  const short = id.replace(/^sha256:/, '').slice(0, 12);
  return new SignalboxError('environment', `the image that the run is pinned to is gone: ${reference} (${short})`, {
    hint:
      'Load it again ("docker load"), then retry the task. Or let the run end: "signalbox run resume" goes on in the image ' +
      'that there is then.',
  });
}

/** An absolute path of a file or directory of the repository. */
function within(repository: string, name: string, key: string): string {
  try {
    const root = realpathSync(repository);
    const place = realpathSync(path.resolve(root, name));
    if (isBelow(root, place)) return place;
  } catch (error) {
    const code = codeOf(error);
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    throw new SignalboxError('config', `${key} names ${name}, and there is none in ${repository}`, { cause: error });
  }
  throw new SignalboxError('config', `${key} names ${name}, which lies outside of the repository`);
}
