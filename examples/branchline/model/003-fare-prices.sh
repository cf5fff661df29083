#task 003
#title Price a journey by its zones
#say I'll read the zones and what a journey looks like.
cat src/fares/zones.js src/journey.js
#say A leg only has its ends, so the stations between them come from the train's stops.
cat > src/fares/price.js <<'EOF'
import { UsageError } from '../errors.js';
import { zonesBetween } from './zones.js';

const PRICES = [220, 340];
const FURTHER_ZONE = 90;

/**
 * The price in pence of a journey as `findJourney` returns it, charged as one ride along all stations where its trains
 * stop on the way. Throws a UsageError for a station without a zone.
 */
export function priceOf(timetable, zones, legs) {
  const codes = legs.flatMap((leg) => stationsOf(timetable, leg));
  const missing = codes.find((code) => !zones.has(code));
  if (missing !== undefined) throw new UsageError(`${missing} has no fare zone`);
  const count = zonesBetween(zones, codes);
  return PRICES[count - 1] ?? PRICES.at(-1) + (count - PRICES.length) * FURTHER_ZONE;
}

/** Pence as people write them: `£3.40`. */
export function formatPrice(pence) {
  return `£${Math.floor(pence / 100)}.${String(pence % 100).padStart(2, '0')}`;
}

/** Where the leg's train stops, from boarding to leaving. One number may be two trains, on different days. */
function stationsOf({ trains }, { train: number, from, to, departure, arrival }) {
  for (const { stops } of trains.filter((train) => train.number === number)) {
    const first = stops.findIndex((stop) => stop.station === from && stop.departure === departure);
    const last = stops.findIndex((stop) => stop.station === to && stop.arrival === arrival);
    if (first >= 0 && last > first) return stops.slice(first, last + 1).map(({ station }) => station);
  }
  throw new UsageError(`train ${number} is not in this timetable`);
}
EOF
cat > test/price.test.js <<'EOF'
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPrice, priceOf } from '../src/fares/price.js';
import { parseZones } from '../src/fares/zones.js';
import { findJourney } from '../src/journey.js';
import { parseTimetable } from '../src/parse.js';

const timetable = parseTimetable(`
line A
train 1
  A 06:00
  B 06:10
  C 06:20
train 2
  C 06:30
  D 06:40
  E 06:50
train 3
  A 09:00
  C 09:15
`);
const zones = parseZones('A,1\nB,2\nC,1\nD,3\nE,4\n');
const price = (from, to, after = 0) => priceOf(timetable, zones, findJourney(timetable, { from, to, day: 0, after }));

test('one zone, two zones, and each further one', () => {
  assert.equal(price('A', 'B'), 340);
  assert.equal(price('C', 'E'), 430);
  assert.equal(price('A', 'E'), 520);
});

test('a stop on the way counts, a train that does not stop there is cheaper', () => {
  assert.equal(price('A', 'C'), 340);
  assert.equal(price('A', 'C', 480), 220);
});

test('a station without a zone is named', () => {
  const legs = findJourney(timetable, { from: 'A', to: 'C', day: 0 });
  assert.throws(() => priceOf(timetable, parseZones('A,1\nC,1\n'), legs), /B has no fare zone/);
});

test('a price has pounds and two digits of pence', () => {
  assert.deepEqual([220, 305, 1000].map(formatPrice), ['£2.20', '£3.05', '£10.00']);
});
EOF
#say Run the tests.
node --test
#done Added src/fares/price.js with `priceOf` and `formatPrice`. A journey is charged along every stop of its trains, so a train that skips a zone is cheaper; tests cover that. All tests pass.
