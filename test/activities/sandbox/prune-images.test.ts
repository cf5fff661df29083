import { expect, test } from '@jest/globals';
import { choosePrunable } from '../../../activities/sandbox/prune-images.ts';
import type { StoredImage } from '../../../activities/sandbox/stored-images.ts';

const DAY = 86_400_000;

/** An image that was used some days ago. */
function image(id: string, days: number, over: Partial<StoredImage> = {}): StoredImage {
  const usedAt = Date.now() - days * DAY;
  const facts = { digest: null, kind: 'worker', bytes: 1, createdAt: usedAt, usedAt } as const;
  return {
    id,
    tags: [`signalbox/worker:${id}`],
    ...facts,
    pins: [],
    elsewhere: [],
    containers: [],
    layers: [],
    ...over,
  };
}

async function choose(
  images: readonly StoredImage[],
  over: Partial<Parameters<typeof choosePrunable>[1]> = {},
): Promise<{ chosen: string[]; reasons: string[] }> {
  const isLiving = ({ run }: { run: string }): Promise<boolean> => Promise.resolve(run === 'living');
  const { chosen, reasons } = await choosePrunable(images, { ageMs: 10 * DAY, isLiving, ...over });
  return { chosen: chosen.map(({ id }) => id), reasons: [...reasons].map(([{ id }, reason]) => `${id}: ${reason}`) };
}

test('what was not used for so long goes; what is younger stays without a word', async () => {
  expect(await choose([image('old', 11), image('young', 9)])).toEqual({ chosen: ['old'], reasons: [] });
});

test('what a living run is pinned to stays, whatever its age; what runs were that are over goes', async () => {
  const pinned = (id: string, run: string): StoredImage => image(id, 99, { pins: [{ project: 'p', run }] });
  expect(await choose([pinned('a', 'living'), pinned('b', 'over')])).toEqual({
    chosen: ['b'],
    reasons: ['a: run living of p is not known to be over'],
  });
});

test('what another home or a container uses stays', async () => {
  const { chosen, reasons } = await choose([
    image('a', 99, { elsewhere: ['signalbox/run-1:p..r'] }),
    image('b', 99, { containers: ['c1'] }),
  ]);
  expect([chosen, reasons[0], reasons[1]]).toEqual([
    [],
    expect.stringContaining('another'),
    expect.stringContaining('c1'),
  ]);
});

test('a base stays as long as something stays that is built on it, through others too', async () => {
  const base = image('base', 99, { layers: ['1'] });
  const middle = image('middle', 99, { layers: ['1', '2'] });
  const other = image('other', 99, { layers: ['1', '3'] });
  const top = image('top', 1, { layers: ['1', '2', '4'] });
  expect((await choose([base, middle, other, top])).chosen).toEqual(['other']);
  expect((await choose([base, middle, other])).chosen).toEqual(['base', 'middle', 'other']);
});

test('with a project, only what was built from its Dockerfile goes', async () => {
  const of = (id: string, project: string): StoredImage =>
    image(id, 99, { kind: 'project', tags: [`signalbox/project:${project}..${id}`] });
  const images = [image('worker', 99), of('a', 'one'), of('b', 'one.two')];
  expect((await choose(images, { project: 'one' })).chosen).toEqual(['a']);
});
