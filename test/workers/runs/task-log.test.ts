import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import picocolors from 'picocolors';

import { homeOf, type Home } from '../../../activities/home.ts';
import { recordDecision } from '../../../activities/models/egress-grant.ts';
import { logText, StepCollector } from '../../../cli/views/log-view.ts';
import { taskLog, type LogEvent } from '../../../workers/runs/task-log.ts';
import type { Session } from '../../../workers/session.ts';

const STEP = 'p..r..T-1..1..turn-1';
let home: Home;

beforeEach(() => {
  home = homeOf({ SIGNALBOX_HOME: mkdtempSync(path.join(tmpdir(), 'signalbox-log-')) });
  mkdirSync(path.join(home.steps, STEP), { recursive: true });
});
afterEach(() => rmSync(home.root, { recursive: true, force: true }));

test('the log of a task tells which hosts its steps asked for, and what was decided', async () => {
  writeFileSync(path.join(home.steps, STEP, 'exit'), JSON.stringify({ status: 0 }));
  const at = '2026-11-26T12:00:00.000Z';
  recordDecision(home, STEP, { at, target: 'registry.npmjs.org:443', allowed: true });
  const refused = { at, target: 'evil.example:443\u001b[2J', allowed: false, reason: 'it is not in sandbox.allow' };
  recordDecision(home, STEP, refused);
  const ended = { tasks: { 'T-1': { status: 'merged' } }, ended_at: at };
  // Of a session, the log needs the home and whether the task has ended.
  const session = { home, project: { id: 'p' }, reader: { read: () => Promise.resolve(ended) } } as unknown as Session;
  const request = { run: 'r', task: 'T-1', attempt: undefined, follow: false };
  const events: LogEvent[] = [];
  for await (const event of taskLog(session, request, new AbortController().signal)) events.push(event);
  const colors = picocolors.createColors(false);
  expect(events.map((event) => logText(event, colors))).toEqual([
    '── attempt 1, turn-1 ──',
    '── connected to registry.npmjs.org:443 ──',
    '── not connected to evil.example:443[2J: it is not in sandbox.allow ──',
    null,
  ]);
  const collected = new StepCollector();
  for (const event of events) collected.add(event);
  expect(collected.steps[0]?.connections).toEqual([{ at, target: 'registry.npmjs.org:443', allowed: true }, refused]);
});
