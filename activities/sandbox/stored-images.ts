import type Docker from 'dockerode';
import type { Home } from '../home.ts';
import { BASE_TAGS } from './base-image.ts';
import { engineFailure, unlessStatus } from './engine.ts';
import { pinsAmong, type ImagePin } from './image-pins.ts';
import { WORKER_TAGS } from './image.ts';
import { PROJECT_TAGS } from './project-image.ts';

/** An image that Signalbox made, or that its runs are pinned to. Times are milliseconds since the epoch. */
export interface StoredImage {
  id: string;
  /** Its names, without the pins of runs. */
  tags: string[];
  /** As its registry knows it. */
  digest: string | null;
  /** Signalbox's own, the base of that, of a project's Dockerfile; or `named`: not made by Signalbox. */
  kind: 'worker' | 'base' | 'project' | 'named';
  /** With the layers that it shares with others. */
  bytes: number;
  createdAt: number;
  /** When it was named last: made, pulled, or taken by a run. */
  usedAt: number;
  /** The runs of this home that are pinned to it. */
  pins: ImagePin[];
  /** The names by which other homes keep it for runs of theirs. */
  elsewhere: string[];
  /** Names of the containers that there are of it. */
  containers: string[];
  /** The digests of its layers, the lowest first. */
  layers: string[];
}

/** The tags that Signalbox gives to what it makes. */
const MADE: readonly (readonly [tags: string, kind: StoredImage['kind']])[] = [
  [WORKER_TAGS, 'worker'],
  [BASE_TAGS, 'base'],
  [PROJECT_TAGS, 'project'],
];

/** Is a name of an image one that Signalbox gave to what it made? */
export function isOurTag(tag: string): boolean {
  return MADE.some(([tags]) => tag.startsWith(tags));
}

type InspectedImage = Docker.ImageInspectInfo & { Metadata?: { LastTagTime?: string } };

/** The images of an engine that concern Signalbox, the last used first. */
export async function storedImages(engine: Docker, home: Home): Promise<StoredImage[]> {
  try {
    const [images, containers] = await Promise.all([engine.listImages(), engine.listContainers({ all: true })]);
    const found = await Promise.all(
      images.map(async (image) => {
        // An image without any name has none, or the placeholder that the engine shows for it.
        const tags = ((image.RepoTags as string[] | null) ?? []).filter((tag) => tag !== '<none>:<none>');
        const { pins, foreign, names } = pinsAmong(home, tags);
        const kind = MADE.find(([prefix]) => names.some((name) => name.startsWith(prefix)))?.[1] ?? 'named';
        if (kind === 'named' && pins.length === 0) return null;
        const facts: InspectedImage | null = await unlessStatus(engine.getImage(image.Id).inspect(), 404);
        if (facts === null) return null;
        const createdAt = Date.parse(facts.Created);
        const named = Date.parse(facts.Metadata?.LastTagTime ?? '');
        const stored: StoredImage = {
          id: image.Id,
          tags: names.sort(),
          digest: (facts.RepoDigests as string[] | null)?.[0] ?? null,
          kind,
          bytes: facts.Size,
          createdAt,
          usedAt: Number.isNaN(named) ? createdAt : Math.max(createdAt, named),
          pins,
          elsewhere: foreign,
          containers: containers
            .filter(({ ImageID }) => ImageID === image.Id)
            .map(({ Id, Names }) => (Names[0] ?? Id).replace(/^\//, '')),
          layers: facts.RootFS.Layers ?? [],
        };
        return stored;
      }),
    );
    return found.filter((image) => image !== null).sort((a, b) => b.usedAt - a.usedAt);
  } catch (error) {
    throw engineFailure(error, 'listing images');
  }
}
