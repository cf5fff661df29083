#task 004
#title Answer what a journey costs
#say The command follows `route`; I'll read it and the prices.
cat src/commands/route.js src/fares/price.js docs/commands/route.md
#say Command and page.
cat > src/commands/fare.js <<'EOF'
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { parseDay } from '../days.js';
import { UsageError } from '../errors.js';
import { formatPrice, priceOf } from '../fares/price.js';
import { parseZones } from '../fares/zones.js';
import { findJourney } from '../journey.js';
import { parseTime } from '../time.js';
import { findStation } from '../timetable.js';

export const usage = 'branchline fare FROM TO --zones FILE --day DAY [--after TIME] FILE...';

const options = {
  zones: { type: 'string' },
  day: { type: 'string', default: 'Mo' },
  after: { type: 'string', default: '00:00' },
};

export async function run(args, { stdout, readTimetable }) {
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const [from = '', to = '', ...files] = positionals;
  if (values.zones === undefined) throw new UsageError('which zones? Give --zones FILE.');
  const timetable = await readTimetable(files);
  const zones = parseZones(await readFile(values.zones, 'utf8'), values.zones);
  const legs = findJourney(timetable, {
    from: findStation(timetable, from).code,
    to: findStation(timetable, to).code,
    day: parseDay(values.day),
    after: parseTime(values.after),
  });
  if (legs === null || legs.length === 0) {
    stdout.write('no journey\n');
    return 1;
  }
  const trains = legs.length === 1 ? '1 train' : `${legs.length} trains`;
  stdout.write(`${formatPrice(priceOf(timetable, zones, legs))}, ${trains}\n`);
  return 0;
}
EOF
cat > docs/commands/fare.md <<'EOF'
# branchline fare

    branchline fare FROM TO --zones FILE --day DAY [--after TIME] FILE...

Prints what the journey that `route` finds costs, and how many trains it takes. The zones of the stations are in the
file after `--zones`, a line `STATION,ZONE` for each, as in `data/zones.csv`. Exit code 1 means that there is no journey.
EOF
#say A test on the shipped data.
cat > test/fare.test.js <<'EOF'
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { main } from '../src/cli.js';

const [valley, coast, zones] = ['valley.timetable', 'coast.timetable', 'zones.csv'].map((name) =>
  fileURLToPath(new URL(`../data/${name}`, import.meta.url)),
);

async function fare(...args) {
  const out = { text: '', write: (text) => (out.text += text) };
  const code = await main(['fare', ...args, valley, coast], out, out);
  return [code, out.text];
}

test('a journey has a price', async () => {
  assert.deepEqual(await fare('ABB', 'CRN', '--zones', zones), [0, '£2.20, 1 train\n']);
  assert.deepEqual(await fare('ABB', 'DEL', '--zones', zones), [0, '£3.40, 1 train\n']);
  assert.deepEqual(await fare('ABB', 'SAN', '--zones', zones), [0, '£4.30, 2 trains\n']);
});

test('without a journey there is no price', async () => {
  assert.deepEqual(await fare('SAN', 'ABB', '--zones', zones, '--after', '22:00'), [1, 'no journey\n']);
});

test('zones are required and must be readable', async () => {
  assert.deepEqual(await fare('ABB', 'SAN'), [2, 'branchline fare: which zones? Give --zones FILE.\n']);
  assert.equal((await fare('ABB', 'SAN', '--zones', 'missing.csv'))[0], 2);
});
EOF
node --test
#say And once by hand.
node bin/branchline.js fare ABB "Sandy Cove" --zones data/zones.csv --day Mo data/*.timetable
#done Added `branchline fare` with its page and tests on the shipped data: Abbots Bridge to Sandy Cove costs £4.30 with 2 trains. All tests pass.
