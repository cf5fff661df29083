import type Docker from 'dockerode';
import type { Home } from '../home.ts';
import { engineFailure, unlessStatus } from './engine.ts';
import { unpinImage, type ImagePin } from './image-pins.ts';
import { PROJECT_TAGS } from './project-image.ts';
import { isOurTag, storedImages, type StoredImage } from './stored-images.ts';

/** How {@link pruneImages} goes. */
export interface PruneOptions {
  /** Since the last use, milliseconds. */
  ageMs: number;
  /** Only those built from this project's Dockerfile. */
  project?: string;
  /** May a run still need its image, which was used last at that time (milliseconds since the epoch)? */
  isLiving: (pin: ImagePin, usedAt: number) => Promise<boolean>;
  /** Say what would be removed, and remove nothing. */
  dryRun: boolean;
}

/** What was, or would be, removed. */
export interface PrunedImages {
  removed: StoredImage[];
  /** What is older than the bound and stays, with the reason. */
  kept: { image: StoredImage; reason: string }[];
  /** What is left. */
  left: StoredImage[];
}

/**
 * Removes images that Signalbox made and that were not used for a while, as {@link choosePrunable} says. An image that
 * Signalbox did not make loses only the pins of runs that are over, and goes if it has no other name.
 */
export async function pruneImages(engine: Docker, home: Home, options: PruneOptions): Promise<PrunedImages> {
  const images = await storedImages(engine, home);
  const { chosen, reasons } = await choosePrunable(images, options);
  const removed: StoredImage[] = [];
  // What is built on something goes before it.
  for (const image of chosen.toSorted((a, b) => b.layers.length - a.layers.length)) {
    try {
      const gone = options.dryRun ? willGo(image) : await remove(engine, home, image);
      if (gone) removed.push(image);
      else if (image.kind !== 'named') reasons.set(image, 'others use it: it lost the names that Signalbox gave it');
    } catch (error) {
      reasons.set(image, engineFailure(error, 'removing it').message);
    }
  }
  const gone = new Set(removed);
  return {
    removed,
    kept: [...reasons].map(([image, reason]) => ({ image, reason })),
    left: images.filter((image) => !gone.has(image)),
  };
}

/**
 * Which images can go: never one that a living run is pinned to, that another home's run is, that a container is made of,
 * or that an image builds on which stays.
 *
 * @returns with the reasons why others stay that are old enough
 */
export async function choosePrunable(
  images: readonly StoredImage[],
  { ageMs, project, isLiving }: Omit<PruneOptions, 'dryRun'>,
): Promise<{ chosen: StoredImage[]; reasons: Map<StoredImage, string> }> {
  const oldest = Date.now() - ageMs;
  const reasons = new Map<StoredImage, string>();
  const chosen = new Set<StoredImage>();
  for (const image of images) {
    if (image.usedAt > oldest || (project !== undefined && !isOf(image, project))) continue;
    const reason = await whyNeeded(image, isLiving);
    if (reason === null) chosen.add(image);
    else reasons.set(image, reason);
  }
  // The layers of an image are those of all that it is built on, so one look at each is enough.
  for (const image of chosen) {
    const above = images.find((other) => !chosen.has(other) && isBuiltOn(other, image));
    if (above === undefined) continue;
    chosen.delete(image);
    reasons.set(image, `${nameOf(above)} is built on it`);
  }
  return { chosen: [...chosen], reasons };
}

function isOf({ tags }: StoredImage, project: string): boolean {
  return tags.some((tag) => tag.startsWith(`${PROJECT_TAGS}${project}..`));
}

async function whyNeeded(image: StoredImage, isLiving: PruneOptions['isLiving']): Promise<string | null> {
  for (const pin of image.pins)
    if (await isLiving(pin, image.usedAt)) return `run ${pin.run} of ${pin.project} is not known to be over`;
  const [other] = image.elsewhere;
  if (other !== undefined) return `another Signalbox on this engine keeps it as ${other}`;
  const [container] = image.containers;
  return container === undefined ? null : `container ${container} is made of it`;
}

function isBuiltOn(image: StoredImage, base: StoredImage): boolean {
  if (base.layers.length === 0 || image.layers.length <= base.layers.length) return false;
  return base.layers.every((layer, index) => image.layers[index] === layer);
}

/** Names that others gave stay, and so does the image then. */
function willGo({ tags, digest, kind }: StoredImage): boolean {
  return tags.every(isOurTag) && !(kind === 'named' && digest !== null);
}

/** Takes our names away. @returns whether the image is gone with the last of them */
async function remove(engine: Docker, home: Home, image: StoredImage): Promise<boolean> {
  for (const pin of image.pins) await unpinImage(engine, home, pin);
  for (const tag of image.tags.filter(isOurTag)) await unlessStatus(engine.getImage(tag).remove(), 404);
  return (await unlessStatus(engine.getImage(image.id).inspect(), 404)) === null;
}

function nameOf({ tags, id }: StoredImage): string {
  return tags[0] ?? id;
}
