#task 005
#title Show the platform of each departure
#say I'll read the board from the parser to the command.
cat src/board.js src/commands/board.js test/board.test.js docs/commands/board.md
#say `departures` passes the platform on; the command prints it last, so that rows without one stay short.
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
  ['`{ time, train, destination }`', '`{ time, train, destination, platform }`'],
  ['.map(({ train, time }) => ({', '.map(({ train, stop, time }) => ({'],
  ['train.stops.at(-1).station),\n', 'train.stops.at(-1).station),\n      platform: stop.platform,\n'],
);
edit('src/commands/board.js', [
  'row.destination]);',
  "row.destination, row.platform === null ? '' : `platform ${row.platform}`]);",
]);
edit('docs/commands/board.md', ['the time, the train and where it goes.', 'the time, the train, where it goes\nand its platform if the timetable has one.']);
EOF
git diff --stat
#say Tests in a file of their own.
cat > test/board-platforms.test.js <<'EOF'
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { departures } from '../src/board.js';
import { main } from '../src/cli.js';
import { parseTimetable } from '../src/parse.js';

const timetable = parseTimetable('line A\ntrain 1\n X 6:00 @3\n Z 7:00\ntrain 2\n X 8:00\n Z 9:00\n');

test('a departure has its platform, or null', () => {
  const rows = departures(timetable, { station: 'X', day: 0 });
  assert.deepEqual(rows.map(({ platform }) => platform), ['3', null]);
});

test('the board prints platforms as its last column', async () => {
  const out = { text: '', write: (text) => (out.text += text) };
  const file = (name) => fileURLToPath(new URL(`../data/${name}.timetable`, import.meta.url));
  await main(['board', 'CRN', '--limit', '1', file('valley')], out, out);
  assert.equal(out.text, '06:33  101  Delling  platform 2\n');
  out.text = '';
  await main(['board', 'MER', '--limit', '1', file('coast')], out, out);
  assert.equal(out.text, '06:55  201  Sandy Cove\n');
});
EOF
node --test
#done The board shows platforms: `departures` returns `platform`, the command prints it as the last column, the page says so. All tests pass.
