import type Docker from 'dockerode';
import type { Home } from '../home.ts';
import { unlessStatus } from './engine.ts';
import { homeMark } from './labels.ts';

/**
 * A run that is pinned to an image. It is kept as a tag of the image, so that the engine itself does not take an image for
 * unused whose own tag has moved on, and so that other homes on the engine see that somebody needs it.
 */
export interface ImagePin {
  project: string;
  run: string;
}

/** What the names of all pins begin with, of whatever home. */
const PINS = 'signalbox/run-';

/** The name by which an image is pinned for a run. */
export function pinName(home: Home, pin: ImagePin): string {
  return `${PINS}${homeMark(home)}:${tagOf(pin)}`;
}

/** Pins an image for a run; does nothing if it is pinned already. */
export async function pinImage(engine: Docker, home: Home, pin: ImagePin, id: string): Promise<void> {
  const [repo, tag] = [`${PINS}${homeMark(home)}`, tagOf(pin)];
  await engine.getImage(id).tag({ repo, tag });
}

/** Takes a run's pin away. An image that has no other name goes with it, unless a container is made of it. */
export async function unpinImage(engine: Docker, home: Home, pin: ImagePin): Promise<void> {
  await unlessStatus(engine.getImage(pinName(home, pin)).remove(), 404, 409);
}

/** The runs of a home among the names of images; with the names that are pins of other homes. */
export function pinsAmong(
  home: Home,
  tags: readonly string[],
): { pins: ImagePin[]; foreign: string[]; names: string[] } {
  const own = `${PINS}${homeMark(home)}:`;
  const pins = tags.flatMap((tag) => (tag.startsWith(own) ? pinOf(tag.slice(own.length)) : []));
  const foreign = tags.filter((tag) => tag.startsWith(PINS) && !tag.startsWith(own));
  return { pins, foreign, names: tags.filter((tag) => !tag.startsWith(PINS)) };
}

/** Identifiers have no two dots in a row, and both together are not longer than a tag may be. */
function tagOf({ project, run }: ImagePin): string {
  return `${project}..${run}`;
}

function pinOf(tag: string): ImagePin[] {
  const [project, run, ...more] = tag.split('..');
  return project === undefined || run === undefined || more.length > 0 ? [] : [{ project, run }];
}
