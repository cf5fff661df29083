import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { hostFacts } from '../../../activities/sandbox/host-facts.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'signalbox-facts-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function program(name: string, text: string): void {
  writeFileSync(path.join(directory, name), text);
  chmodSync(path.join(directory, name), 0o755);
}

describe('the facts of a host', () => {
  test('change when a program that a command names is another one', () => {
    program('tool-1', '1');
    program('tool-22', '22');
    symlinkSync('tool-1', path.join(directory, 'tool'));
    const before = hostFacts(directory, ['cd src && tool install']);
    expect(hostFacts(directory, ['cd src && tool install'])).toEqual(before);
    rmSync(path.join(directory, 'tool'));
    symlinkSync('tool-22', path.join(directory, 'tool'));
    expect(hostFacts(directory, ['cd src && tool install'])).not.toEqual(before);
    expect(hostFacts(directory, ['other install'])).toEqual(hostFacts(directory, ['another one']));
  });

  test('do not change with programs that no command names, nor with what cannot be run', () => {
    writeFileSync(path.join(directory, 'tool'), 'text');
    const before = hostFacts(directory, ['tool install']);
    program('more', 'more');
    rmSync(path.join(directory, 'tool'));
    expect(hostFacts(directory, ['tool install'])).toEqual(before);
  });
});
