import { afterEach, beforeEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { chmodSync, existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { LandingJournal } from '../../../activities/git/landing-journal.ts';
import { lockMarker } from '../../../activities/git/push-to-checkout.ts';
import { HalfMovedWorld, type Entry, type Tree } from './half-moved-world.ts';
import { digest, git, makeFixture, put, type Fixture } from './support.ts';

let fixture: Fixture;
let world: HalfMovedWorld;

beforeEach(async () => {
  fixture = await makeFixture({ 'same.txt': 'same\n' });
  world = new HalfMovedWorld(fixture);
});
afterEach(() => fixture.remove());

const names = ['a', 'b.txt', 'c c', 'd/x', 'd/y', 'e', 'e/f', 'ü"\\', 'e/g/h'] as const;
const entry = fc.record<Entry>({
  kind: fc.constantFrom('file', 'file', 'file', 'run', 'link'),
  text: fc.constantFrom('one', 'two, longer', 'three\n', 'lines\nof\ntext\n'),
});
/** A tree in which no name is a file and a directory. */
const tree = fc.dictionary(fc.constantFrom(...names), entry, { maxKeys: 7 }).map((found): Tree => {
  const all = Object.keys(found);
  const kept = Object.entries(found).filter(([name]) => !all.some((other) => name.startsWith(`${other}/`)));
  return { ...Object.fromEntries(kept), 'same.txt': { kind: 'file', text: 'same\n' } };
});
const EDITS = ['nothing', 'nothing', 'unmoved', 'moved', 'staged', 'in the way', 'beside', 'executable'] as const;

test('whatever had moved when a landing was killed, and whatever was edited since: all of it lands, or nothing is touched', async () => {
  const property = fc.asyncProperty(
    tree,
    tree,
    fc.array(fc.constantFrom('still', 'to', 'nothing', 'begun'), { minLength: 9, maxLength: 9 }),
    fc.constantFrom(...EDITS),
    fc.nat(8),
    fc.boolean(),
    async (before, after, states, edit, which, locked) => {
      const { userDirectory, base } = fixture;
      const from = world.commitTree(before, base);
      const to = world.commitTree(after, from);
      git(userDirectory, 'reset', '-q', '--hard', from);
      git(userDirectory, 'clean', '-qfdx');
      await fixture.bare.importBranch(fixture.user, 'main');
      const { id } = world.begin(from, to);
      if (locked) put(userDirectory, { '.git/index.lock': lockMarker(id) });

      const moved = [...names].filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
      const gone = moved.filter((_, at) => states[at] !== 'still');
      for (const name of gone) world.place(name, undefined);
      for (const [at, name] of moved.entries()) {
        const made = after[name];
        if (made === undefined || !gone.includes(name) || states[at] === 'nothing' || !world.isFree(name)) continue;
        world.place(name, made, states[at] === 'begun' && made.kind !== 'link' ? 2 : Infinity);
      }

      const [target = 'same.txt'] = moved.slice(which % Math.max(1, moved.length));
      const isFile = world.statOf(target)?.isFile() === true;
      const room = world.isFree(target) && after[target] !== undefined;
      const edits: Record<(typeof EDITS)[number], () => boolean> = {
        nothing: () => false,
        beside: () => (put(userDirectory, { 'beside.txt': 'mine\n' }), false),
        unmoved: () => (put(userDirectory, { 'same.txt': 'my own words\n' }), true),
        moved: () => isFile && (put(userDirectory, { [target]: 'my own words\n' }), true),
        staged: () => (put(userDirectory, { mine: 'm' }), git(userDirectory, 'update-index', '--add', 'mine'), true),
        'in the way': () => room && (put(userDirectory, { [target]: 'precious\n' }), true),
        executable: () => (chmodSync(path.join(userDirectory, 'same.txt'), 0o755), true),
      };
      if (edit === 'staged' && locked) rmSync(path.join(userDirectory, '.git/index.lock'));
      const edited = edits[edit]();
      const state = digest(userDirectory, '.git');
      const index = git(userDirectory, 'ls-files', '-s');
      const { outcome } = await world.landing(to);
      expect(existsSync(path.join(userDirectory, '.git/index.lock'))).toBe(false);
      if (edited) {
        expect(outcome).toBe('refused');
        expect(digest(userDirectory, '.git')).toBe(state);
        expect(git(userDirectory, 'ls-files', '-s')).toBe(index);
        expect(git(userDirectory, 'rev-parse', 'main')).toBe(from);
      } else {
        expect(outcome).toMatch(/landed|already/);
        world.expectAt(to, edit === 'beside' ? ['beside.txt'] : []);
        if (edit === 'beside') expect(readFileSync(path.join(userDirectory, 'beside.txt'), 'utf8')).toBe('mine\n');
      }
      rmSync(new LandingJournal(fixture.bare, fixture.user.commonDir, 'main').directory, {
        recursive: true,
        force: true,
      });
    },
  );
  await fc.assert(property, { numRuns: 25 });
}, 240_000);
