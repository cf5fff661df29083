import { createHash } from 'node:crypto';
import type Docker from 'dockerode';
import { SignalboxError } from '../../core/failures.ts';
import { DOCKERFILE, type BuildContext } from './build-context.ts';
import { basesOf } from './dockerfile-bases.ts';
import { unlessStatus } from './engine.ts';
import { EngineStreamError, followProgress, oneLine, type ImageProgress } from './image-progress.ts';
import { labelFilter } from './labels.ts';

/** The label with the digest of a recipe. Images that others build from ours carry it too, but not our tags. */
const RECIPE_LABEL = 'signalbox.recipe';

/** What an image is built from. */
export interface ImageRecipe {
  /** What it is to people: `the image of steps`. */
  what: string;
  /** What the tags of all its versions begin with, such as `signalbox/worker:`. */
  tags: string;
  dockerfile: string;
  /** What the Dockerfile's `ARG`s are set to. */
  args: Readonly<Record<string, string>>;
  context: BuildContext;
  /** What a person does where the build fails. */
  mend: string;
  /** Is nothing reached by the build, with these arguments? It then works where the engine's own network does not. */
  isOffline?: (args: Readonly<Record<string, string>>) => boolean;
}

/** An image that steps can run in. */
export interface WorkerImage {
  /** Its tag, which names the digest of all that it was built from. */
  reference: string;
  /** Its content digest. */
  id: string;
  /** Whether this call built it. */
  built: boolean;
}

/** How {@link ensureBuilt} goes. */
export interface BuildOptions extends ImageProgress {
  /**
   * Sees to it that the engine has the bases, the newest ones if they are to be fresh.
   *
   * @returns the arguments to build with
   */
  obtain: (bases: readonly string[]) => Promise<Readonly<Record<string, string>>>;
  /** Look for newer bases first. */
  refresh: boolean;
}

/**
 * The image of a recipe, built if its inputs changed: Dockerfile, context, arguments, and the bases as the engine has them.
 * Where the engine has lost a base, what was built from it is good enough: nothing is pulled only to compare.
 *
 * @throws SignalboxError `environment` with the end of what the build printed
 */
export async function ensureBuilt(engine: Docker, recipe: ImageRecipe, options: BuildOptions): Promise<WorkerImage> {
  const { dockerfile, context, tags, what } = recipe;
  const digest = recipeDigest(recipe);
  const before = options.refresh ? null : await findBuilt(engine, recipe);
  if (before !== null) return before;
  const args = await options.obtain(basesOf(dockerfile, recipe.args));
  const reference = tagOf(tags, digest, await idsOf(engine, basesOf(dockerfile, args)));
  const found = await unlessStatus(engine.getImage(reference).inspect(), 404);
  if (found !== null) return { reference, id: found.Id, built: false };
  options.onProgress?.(`Building ${what}${basedOn(basesOf(dockerfile, args))}`);
  const archive = context.pack(dockerfile);
  // A file may be gone by now. Nobody else listens.
  const unread = new Promise<never>((_, reject) => archive.once('error', reject));
  const building = async (): Promise<void> => {
    const stream = await engine.buildImage(archive, {
      t: reference,
      dockerfile: DOCKERFILE,
      buildargs: { ...args },
      labels: { [RECIPE_LABEL]: digest },
      ...(recipe.isOffline?.(args) === true ? { networkmode: 'none' } : {}),
      rm: true,
      forcerm: true,
    });
    await followProgress(stream, options.onDetail);
  };
  try {
    await Promise.race([building(), unread]);
  } catch (error) {
    throw buildFailure(error, recipe);
  }
  const { Id } = await engine.getImage(reference).inspect();
  return { reference, id: Id, built: true };
}

/** What was built from a recipe as it is now, if it is there. */
export async function findBuilt(engine: Docker, recipe: ImageRecipe): Promise<WorkerImage | null> {
  const digest = recipeDigest(recipe);
  const ids = await idsOf(engine, basesOf(recipe.dockerfile, recipe.args));
  if (!ids.includes(null)) {
    const reference = tagOf(recipe.tags, digest, ids);
    const found = await unlessStatus(engine.getImage(reference).inspect(), 404);
    return found === null ? null : { reference, id: found.Id, built: false };
  }
  const images = await engine.listImages({ filters: labelFilter({ [RECIPE_LABEL]: digest }) });
  const ours = images.flatMap(({ Id, RepoTags }) => {
    const reference = (RepoTags as string[] | null)?.find((tag) => tag.startsWith(recipe.tags));
    return reference === undefined ? [] : [{ reference, id: Id }];
  });
  // The list has whole seconds only.
  const made = ours.map(async (image) => {
    const found = await unlessStatus(engine.getImage(image.id).inspect(), 404);
    return found === null ? [] : [{ ...image, at: Date.parse(found.Created) }];
  });
  const [newest] = (await Promise.all(made)).flat().sort((one, other) => other.at - one.at);
  return newest === undefined ? null : { reference: newest.reference, id: newest.id, built: false };
}

function recipeDigest({ dockerfile, args, context }: ImageRecipe): string {
  return digestOf([1, dockerfile, Object.entries(args).sort(), context.digest]);
}

/** The content digests of images; `null` for those that the engine does not have. */
async function idsOf(engine: Docker, references: readonly string[]): Promise<(string | null)[]> {
  return await Promise.all(
    references.map(async (reference) => (await unlessStatus(engine.getImage(reference).inspect(), 404))?.Id ?? null),
  );
}

function tagOf(tags: string, recipe: string, bases: readonly (string | null)[]): string {
  return `${tags}${digestOf([recipe, bases]).slice(0, 16)}`;
}

function basedOn(bases: readonly string[]): string {
  return bases.length === 0 ? '' : ` from ${bases.join(', ')}`;
}

function buildFailure(error: unknown, { what, mend }: ImageRecipe): unknown {
  if (!(error instanceof EngineStreamError)) return error;
  const needsBuildKit = /buildkit|unknown flag|unknown instruction/i.test(error.message);
  const said = error.lines.map((line) => `\n  ${line}`).join('');
  return new SignalboxError(
    'environment',
    `building ${what} failed: ${commandFailure(error) ?? oneLine(error)}${said}`,
    {
      hint: needsBuildKit
        ? 'Signalbox builds without BuildKit: build the image yourself ("docker build"), and name it in sandbox.image.'
        : `${mend} "signalbox image build" tries it again.`,
      cause: error,
    },
  );
}

/** What a command of the Dockerfile said last, without the command itself, which may be long; `null` for other failures. */
function commandFailure({ message, lines }: EngineStreamError): string | null {
  const [, status] = /returned a non-zero code: (\d+)\s*$/.exec(message) ?? [];
  if (status === undefined) return null;
  const own = lines.slice(lines.findLastIndex((line) => /^Step \d+\/\d+ :/.test(line)) + 1);
  const last = own.findLast((line) => !/^( ---> |Removing intermediate container )/.test(line));
  return `a command ended with exit code ${status}${last === undefined ? '' : `: ${last}`}`;
}

function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
