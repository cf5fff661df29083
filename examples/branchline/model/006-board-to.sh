#task 006
#title Ask the board only for trains to a station
#say I'll read the board as it is now.
cat src/board.js src/commands/board.js docs/commands/board.md
#say The filter needs each stop's index, so that only stations after this one count.
node --input-type=module <<'EOF'
import { readFileSync, writeFileSync } from 'node:fs';

function edit(path, ...changes) {
  let text = readFileSync(path, 'utf8');
  for (const [old, now] of changes) {
    if (!text.includes(old)) throw new Error(`${path} has no: ${old}`);
    text = text.replace(old, () => now);
  }
  writeFileSync(path, text);
}

edit(
  'src/board.js',
  [
    '.\n * A train of the day before',
    '.\n * With `to`, a station code, only trains that stop there afterwards.\n * A train of the day before',
  ],
  ['{ station, day, from = 0, limit = 10 }', '{ station, day, to, from = 0, limit = 10 }'],
  [
    'train.stops.map((stop) => ({ train, stop, time',
    'train.stops.map((stop, index) => ({ train, stop, index, time',
  ],
  [
    '    .sort((a, b)',
    '    .filter(({ train, index }) => to === undefined || callsAfter(train, index, to))\n    .sort((a, b)',
  ],
  [
    '/** When a train leaves',
    '/** Whether a train stops at a station after the stop with that index. */\nfunction callsAfter({ stops }, index, code) {\n  return stops.slice(index + 1).some(({ station }) => station === code);\n}\n\n/** When a train leaves',
  ],
);
edit(
  'src/commands/board.js',
  ['STATION --day DAY [--from TIME]', 'STATION --day DAY [--to STATION] [--from TIME]'],
  ["  from: { type: 'string'", "  to: { type: 'string' },\n  from: { type: 'string'"],
  [
    '    from: parseTime(values.from),',
    '    to: values.to === undefined ? undefined : findStation(timetable, values.to).code,\n    from: parseTime(values.from),',
  ],
);
edit(
  'docs/commands/board.md',
  ['STATION --day DAY [--from TIME]', 'STATION --day DAY [--to STATION] [--from TIME]'],
  ['Exit code 1', 'With `--to`, only the trains that stop\nat that station afterwards. Exit code 1'],
);
EOF
git diff
#say Tests, with a train that called there before.
cat > test/board-to.test.js <<'EOF'
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { departures } from '../src/board.js';
import { main } from '../src/cli.js';
import { parseTimetable } from '../src/parse.js';

const timetable = parseTimetable(`
line A
train 1
  X 06:00
  Y 06:10
  Z 06:20
train 2
  Z 07:00
  Y 07:10
  X 07:20
`);
const trains = (question) => departures(timetable, { station: 'Y', day: 0, ...question }).map(({ train }) => train);

test('without a station to go to, all trains are on the board', () => {
  assert.deepEqual(trains({}), ['1', '2']);
});

test('only trains that call at the station afterwards are on the board', () => {
  assert.deepEqual(trains({ to: 'Z' }), ['1']);
  assert.deepEqual(trains({ to: 'X' }), ['2']);
  assert.deepEqual(trains({ to: 'Y' }), []);
});

test('the limit counts the trains that are shown', () => {
  assert.deepEqual(trains({ to: 'X', limit: 1 }), ['2']);
});

test('--to takes a station as people name it', async () => {
  const out = { text: '', write: (text) => (out.text += text) };
  const file = fileURLToPath(new URL('../data/valley.timetable', import.meta.url));
  assert.equal(await main(['board', 'CRN', '--to', 'holm', file], out, out), 0);
  assert.match(out.text, /^07:37 +102 +Abbots Bridge/);
  assert.equal(await main(['board', 'CRN', '--to', 'Nowhere', file], out, out), 2);
});
EOF
node --test
#done `branchline board --to STATION` shows only the trains that stop there afterwards; `departures` takes `to`. Usage, page and tests follow. All tests pass.
