import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { homeOf, type Home } from '../../../activities/home.ts';
import { LineReader } from '../../../workers/runs/line-reader.ts';
import { stepLogs } from '../../../workers/runs/step-logs.ts';

let home: Home;

beforeEach(() => {
  home = homeOf({ SIGNALBOX_HOME: mkdtempSync(path.join(tmpdir(), 'signalbox-steps-')) });
});
afterEach(() => rmSync(home.root, { recursive: true, force: true }));

function step(name: string, exit?: number): void {
  const directory = path.join(home.steps, name);
  mkdirSync(directory, { recursive: true });
  writeFileSync(path.join(directory, 'input.json'), '{}');
  if (exit !== undefined) writeFileSync(path.join(directory, 'exit'), JSON.stringify({ status: exit }));
}

describe('the steps of a task', () => {
  test('are none where nothing ran', () => {
    expect(stepLogs(home, { project: 'p', run: 'r', task: 'T-1' })).toEqual([]);
  });

  test('are exactly those of its name: T-1 never finds what belongs to T-10, nor r what belongs to r.1', () => {
    step('p..r..T-1..1..turn-1', 0);
    step('p..r..T-10..1..turn-1', 0);
    step('p..r.1..T-1..1..turn-1', 0);
    step('p..r..T-1..2..verify-1-1', 3);
    step('p..r..T-1..2..turn-1');
    const found = stepLogs(home, { project: 'p', run: 'r', task: 'T-1' });
    expect(found.map(({ attempt, step: name }) => `${attempt} ${name}`).sort()).toEqual([
      '1 turn-1',
      '2 turn-1',
      '2 verify-1-1',
    ]);
    expect(found.find(({ step: name }) => name === 'verify-1-1')).toMatchObject({
      kind: 'check',
      ended: true,
      exitStatus: 3,
    });
    expect(found.find(({ attempt, step: name }) => attempt === 2 && name === 'turn-1')).toMatchObject({
      kind: 'agent',
      ended: false,
    });
  });
});

describe('the lines of a file that grows', () => {
  test('come once and whole, whatever the pieces were', () => {
    const file = path.join(home.root, 'log');
    const reader = new LineReader(file);
    expect(reader.read(false)).toEqual([]);
    const bytes = Buffer.from('one\nzwei ü\nthr');
    writeFileSync(file, bytes.subarray(0, 10));
    expect(reader.read(false)).toEqual(['one']);
    writeFileSync(file, bytes);
    expect(reader.read(false)).toEqual(['zwei ü']);
    expect(reader.read(true)).toEqual(['thr']);
    expect(reader.read(true)).toEqual([]);
  });
});
