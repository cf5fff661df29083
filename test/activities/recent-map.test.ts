import { expect, test } from '@jest/globals';
import { RecentMap } from '../../activities/recent-map.ts';

test('keeps what was set last; setting it again makes an entry new', () => {
  const map = new RecentMap<string, number>(2);
  map.set('a', 1).set('b', 2).set('a', 3).set('c', 4);
  expect([...map]).toEqual([
    ['a', 3],
    ['c', 4],
  ]);
  expect(map.has('b')).toBe(false);
});
