import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { TrainMember } from '../../../core/train.ts';
import { projectWorld, type ProjectWorld } from '../../support/project-world.ts';
import { NO_USAGE } from '../../../core/usage.ts';

let world: ProjectWorld;
afterEach(() => world.remove());

async function finished(task: string): Promise<TrainMember> {
  const { run } = world;
  const made = await world.task('prepare', { run, task, execution: 'x', attemptsBefore: 0 });
  const attempt = { run, task, attempt: made.attempt, execution: 'x' };
  const { commit } = await world.task('turn', {
    attempt,
    base: made.base,
    turn: 1,
    thread: null,
    evidence: [],
    extra: [],
    spent: { ...NO_USAGE },
    spentMs: 0,
    allowance: 1,
    inputs: {},
  });
  await world.task('verify', { attempt, commit, round: 1, inputs: {} });
  return { run, task, name: `task-${task}`, attempt: made.attempt, commit, base: made.base };
}

async function checked(member: TrainMember): Promise<string> {
  const candidate = await world.train('candidate', { run: world.run, member });
  if (candidate.kind !== 'merged') throw new Error(candidate.evidence.summary);
  const report = await world.train('check', { run: world.run, member, candidate: candidate.commit });
  expect(report.failure).toBeNull();
  await world.train('advance', { run: world.run, member, candidate: candidate.commit, tip: candidate.tip });
  return candidate.commit;
}

/** How often the counting check ran. */
function ran(): number {
  const file = path.join(world.repository, '../ran');
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
}

const COUNT = 'echo x >> "$(dirname "$SIGNALBOX_TASK_FILE")/../../../../../../ran"';

describe('the integration check', () => {
  test('is not run again on the very tree that the verdict proved with the same commands', async () => {
    world = await projectWorld({ a: 'echo two >> a.txt' }, { checks: { doctor: COUNT } });
    await checked(await finished('a'));
    expect(ran()).toBe(1);
  });

  test('is run where others were merged meanwhile, and the tree is another', async () => {
    world = await projectWorld({ a: 'echo two >> a.txt', b: 'echo b > b.txt' }, { checks: { doctor: COUNT } });
    const [first, second] = [await finished('a'), await finished('b')];
    await checked(first);
    await checked(second);
    expect(ran()).toBe(3);
  });

  test('is run where its commands are not the verdict’s', async () => {
    world = await projectWorld({ a: 'echo two >> a.txt' }, { checks: { doctor: COUNT, integration: [COUNT, 'true'] } });
    await checked(await finished('a'));
    expect(ran()).toBe(2);
  });
});
