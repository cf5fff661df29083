import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RunDescription } from '../../core/description.ts';
import { CliWorld } from '../support/cli.ts';

const PATIENCE = 120_000;

/**
 * Keeps its prompt and base. All begin on one base; `b` and `c` end when `a` is merged. All write to the changelog, and
 * `b` deletes in its first attempt what `a` changes.
 */
const AGENT = ({ root, repository }: CliWorld): string =>
  [
    `note=${root}/$SIGNALBOX_TASK_ID.$SIGNALBOX_ATTEMPT; cat > $note.prompt; git rev-parse HEAD > $note.base`,
    `until test -e ${root}/b.1.base -a -e ${root}/c.1.base; do sleep 0.05; done`,
    'sed -i "1a - $SIGNALBOX_TASK_ID" CHANGELOG.md',
    'case $SIGNALBOX_TASK_ID in a) echo more >> notes.md; exit 0;; esac',
    `until git -C ${repository} log main --format=%s | grep -q "task a:"; do sleep 0.05; done`,
    'if test $SIGNALBOX_TASK_ID.$SIGNALBOX_ATTEMPT = b.1; then rm notes.md; fi',
  ].join('; ');

let world: CliWorld;

beforeAll(() => {
  world = new CliWorld().init();
  world
    .config(
      `agent: { provider: command, command: ${JSON.stringify(AGENT(world))} }\nchecks: { doctor: "true" }\n` +
        'merge: { drivers: [{ paths: ["*.md"], driver: union }] }\n',
    )
    .write('CHANGELOG.md', '# Changes\n')
    .write('notes.md', 'Notes\n');
  for (const id of ['a', 'b', 'c'])
    world.task(id, `name: tell-${id}\ndescription: Tells the story of ${id}.\nfiles: { writes: [${id}.txt] }`);
  world.commit('tasks');
});

afterAll(async () => {
  world.killWorkers();
  await world.signalbox('server', 'stop');
  world.remove();
});

test(
  'tasks that write to one file with a union driver are all merged; a conflict names the other task in the next prompt',
  async () => {
    const started = await world.signalbox('run', 'start', '--run-id', 'one', '--backend', 'local', '-o', 'json');
    const run = started.json?.result as RunDescription;
    expect(run).toMatchObject({
      status: 'completed',
      tasks: {
        a: { status: 'merged', attempts: 1 },
        b: { status: 'merged', attempts: 2 },
        c: { status: 'merged', attempts: 1 },
      },
    });
    const changes = world.git('show', 'main:CHANGELOG.md').split('\n');
    expect([changes[0], ...changes.slice(1).sort()]).toEqual(['# Changes', '', '- a', '- b', '- c']);

    const note = (name: string): string => readFileSync(path.join(world.root, name), 'utf8');
    const prompt = note('b.2.prompt');
    expect(prompt).toContain('# Attempt 1: it conflicts with what was merged since: notes.md\n');
    expect(prompt).toContain(
      'notes.md: deleted in this work, but changed in the current tip. ' +
        'It meets the change of task a tell-a (Tells the story of a.).\n',
    );
    expect(prompt).toMatch(/\nWhat the current tip changed there:\n[^]*\n Notes\n\+more\n/);
    // It starts on a tip that has the other one's change.
    expect(note('b.1.base')).toBe(note('a.1.base'));
    world.git('merge-base', '--is-ancestor', run.tasks['a']?.merged_commit ?? '', note('b.2.base').trim());
    expect(world.git('show', 'main:notes.md')).toBe('Notes\nmore\n');
  },
  PATIENCE,
);
