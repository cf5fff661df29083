import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RunDescription } from '../../core/description.ts';
import { CliWorld } from '../support/cli.ts';

const PATIENCE = 120_000;

/** Keeps its prompt and base; begins when both tasks have. In its first attempt it writes what the other one writes, too. */
const AGENT = (root: string): string =>
  [
    `note=${root}/$SIGNALBOX_TASK_ID.$SIGNALBOX_ATTEMPT; cat > $note.prompt; git rev-parse HEAD > $note.base`,
    `until test -e ${root}/a.1.base -a -e ${root}/b.1.base; do sleep 0.05; done`,
    'sed -i "1a - $SIGNALBOX_TASK_ID" CHANGELOG.md',
    'echo "by $SIGNALBOX_TASK_ID" >> story.txt',
  ].join('; ');

let world: CliWorld;

beforeAll(() => {
  world = new CliWorld().init();
  world
    .config(
      `agent: { provider: command, command: ${JSON.stringify(AGENT(world.root))} }\n` +
        'checks: { doctor: "true" }\nscope: { mode: off }\n',
    )
    .write('CHANGELOG.md', '# Changes\n')
    .write('story.txt', 'Once\n')
    .write('.gitattributes', 'CHANGELOG.md merge=union\n');
  for (const id of ['a', 'b'])
    world.task(id, `name: tell-${id}\ndescription: Tells the story of ${id}.\nfiles: { writes: [${id}.txt] }`);
  world.commit('tasks');
});

afterAll(async () => {
  world.killWorkers();
  await world.signalbox('server', 'stop');
  world.remove();
});

test(
  'a conflict goes into the next prompt with whose change it is, on the tip that has it; a union file is none',
  async () => {
    const started = await world.signalbox('run', 'start', '--run-id', 'one', '--backend', 'local', '-o', 'json');
    const run = started.json?.result as RunDescription;
    expect(run).toMatchObject({ status: 'completed', tasks: { a: { status: 'merged' }, b: { status: 'merged' } } });
    const second = Object.keys(run.tasks).find((id) => run.tasks[id]?.attempts === 2) ?? '';
    const first = second === 'a' ? 'b' : 'a';
    expect(run.tasks[first]).toMatchObject({ attempts: 1 });
    const note = (name: string): string => readFileSync(path.join(world.root, name), 'utf8');
    const prompt = note(`${second}.2.prompt`);
    expect(prompt).toContain('# Attempt 1: it conflicts with what was merged since: story.txt\n');
    expect(prompt).toContain(
      'story.txt: the current tip and this work changed the same lines. ' +
        `It meets the change of task ${first} tell-${first} (Tells the story of ${first}.).\n`,
    );
    expect(prompt).toContain(`+<<<<<<< the current tip\n by ${first}\n+=======\n+by ${second}\n+>>>>>>> this work\n`);
    expect(prompt).not.toContain('CHANGELOG.md');
    expect(note(`${second}.2.base`).trim()).toBe(run.tasks[first]?.merged_commit);
    expect(world.git('show', 'main:story.txt')).toBe(`Once\nby ${first}\nby ${second}\n`);
    const changes = world.git('show', 'main:CHANGELOG.md').split('\n');
    expect([changes[0], ...changes.slice(1).sort()]).toEqual(['# Changes', '', '- a', '- b']);
  },
  PATIENCE,
);
