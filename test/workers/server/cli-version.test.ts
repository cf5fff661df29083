import { describe, expect, test } from '@jest/globals';

import { isUsableCli, parseCliVersion } from '../../../workers/server/cli-version.ts';

describe('the version of the temporal CLI', () => {
  test.each([
    ['temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)', true],
    ['temporal version 1.5.0 (Server 1.29.0, UI 2.41.0)', true],
    ['temporal version 1.10.0 (Server 1.31.0, UI 3.0.0)', true],
    ['temporal version 2.0.0 (Server 2.0.0, UI 3.0.0)', true],
    ['temporal version 1.4.1 (Server 1.28.0, UI 2.39.0)', false],
    ['temporal version 0.13.2 (server 1.24.1) (ui 2.27.2)', false],
    ['temporal version 0.0.0-DEV (Server 1.29.1, UI 2.42.1)', true],
    ['temporal version 0.0.0-DEV (Server 1.28.0, UI 2.42.1)', false],
    ['temporal version 0.0.0-DEV', false],
    ['temporal version latest', false],
  ])('%s: usable is %s', (output, usable) => {
    const version = parseCliVersion(output);
    expect(version).not.toBeNull();
    expect(isUsableCli(version!)).toBe(usable);
  });

  test('the output of another program is no version', () => {
    expect(parseCliVersion('v24.1.0\n')).toBeNull();
  });
});
