import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatDuration, parseDuration } from '../../core/duration.ts';
import { formatSize, parseSize } from '../../core/size.ts';

describe('durations', () => {
  test('read back as they were written', () => {
    fc.assert(
      fc.property(fc.nat(10_000_000_000), (milliseconds) => {
        expect(parseDuration(formatDuration(milliseconds))).toBe(milliseconds);
      }),
    );
  });

  test.each([
    ['90s', 90_000],
    ['15m', 900_000],
    ['2h', 7_200_000],
    ['1h30m', 5_400_000],
    ['250ms', 250],
    ['2d', 172_800_000],
    ['1m5ms', 60_005],
  ])('%s is %d milliseconds', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  test.each(['', '15', 's', '-5s', '1.5h', '30m1h', '5 m', '15min', '99999999999999d'])('%j is refused', (text) => {
    expect(() => parseDuration(text)).toThrow('is no duration; write it like 90s, 15m, 2h or 1h30m');
  });
});

describe('sizes', () => {
  test('read back as they were written', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 40), (bytes) => {
        expect(parseSize(formatSize(bytes))).toBe(bytes);
      }),
    );
  });

  test.each([
    ['512MiB', 512 * 1024 ** 2],
    ['2GiB', 2 * 1024 ** 3],
    ['10B', 10],
  ])('%s is %d bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each(['', '512', '512MB', '1.5GiB', '9999999999TiB'])('%j is refused', (text) => {
    expect(() => parseSize(text)).toThrow('is no size; write it like 512MiB or 2GiB');
  });
});
