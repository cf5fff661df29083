#task 002
#title Read the zones that stations lie in
#say I'll look at how the parser reports errors, so that zones do the same.
cat src/errors.js src/parse.js data/coast.timetable
#say A border station can be charged in any of its zones; I'll take the choice that needs the fewest zones in all.
mkdir -p src/fares
cat > src/fares/zones.js <<'EOF'
import { TimetableError } from '../errors.js';

/**
 * Reads lines `STATION,ZONE`, or `STATION,2+3` for a station on a border, as a Map from station code to its zones in
 * rising order. `source` names the file in errors. Throws a TimetableError.
 */
export function parseZones(text, source = 'zones') {
  const zones = new Map();
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const fail = (problem) => {
      throw new TimetableError(source, index + 1, problem);
    };
    const comma = line.indexOf(',');
    if (comma < 0) fail('expected STATION,ZONE');
    const station = line.slice(0, comma).trim();
    const numbers = line.slice(comma + 1).split('+').map((part) => part.trim());
    if (zones.has(station)) fail(`${station} is there twice`);
    for (const number of numbers) if (!/^[1-9]\d*$/.test(number)) fail(`not a zone: "${number}"`);
    zones.set(station, [...new Set(numbers.map(Number))].sort((a, b) => a - b));
  }
  return zones;
}

/**
 * How many zones a ride along these stations is charged for. A border station counts for the zone that makes the ride
 * cheaper. All stations must have zones.
 */
export function zonesBetween(zones, codes) {
  return fewest(new Set(), codes.map((code) => zones.get(code)));
}

/** The fewest zones that give each stop one of its own, when those in `taken` are paid already. */
function fewest(taken, stops) {
  const open = stops.filter((choices) => !choices.some((zone) => taken.has(zone)));
  if (open.length === 0) return taken.size;
  const [choices] = open.sort((a, b) => a.length - b.length);
  return Math.min(...choices.map((zone) => fewest(new Set([...taken, zone]), open)));
}
EOF
cat > data/zones.csv <<'EOF'
# Fare zones of the Valley and Coast lines
ABB,1
HOL,1
CRN,1+2
DEL,2
MER,3
SAN,4
EOF
#say Tests for the format and for border stations.
cat > test/zones.test.js <<'EOF'
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseZones, zonesBetween } from '../src/fares/zones.js';
import { parseTimetable } from '../src/parse.js';

const read = (name) => readFileSync(new URL(`../data/${name}`, import.meta.url), 'utf8');

test('a station has one zone or several', () => {
  const zones = parseZones('# zones\n\nABB,1\nCRN, 3+2 \n');
  assert.deepEqual([...zones], [['ABB', [1]], ['CRN', [2, 3]]]);
});

test('an error names the file and the line', () => {
  assert.throws(() => parseZones('A,1\nB 2\n', 'zones.csv'), /^TimetableError: zones.csv:2: expected STATION,ZONE/);
  assert.throws(() => parseZones('A,1\nA,2\n'), /zones:2: A is there twice/);
  for (const zone of ['', '0', '-1', '1.5', 'x', '1+']) assert.throws(() => parseZones(`A,${zone}\n`), /not a zone/, zone);
});

test('a ride is charged for the fewest zones that cover it', () => {
  const zones = parseZones('A,1\nB,1+2\nC,2\nD,2+3\nE,3\n');
  assert.equal(zonesBetween(zones, ['B']), 1);
  assert.equal(zonesBetween(zones, ['A', 'B']), 1);
  assert.equal(zonesBetween(zones, ['B', 'C']), 1);
  assert.equal(zonesBetween(zones, ['B', 'D']), 1);
  assert.equal(zonesBetween(zones, ['A', 'B', 'C', 'D']), 2);
  assert.equal(zonesBetween(zones, ['A', 'B', 'C', 'D', 'E']), 3);
});

test('every station of the shipped timetables has a zone', () => {
  const zones = parseZones(read('zones.csv'), 'zones.csv');
  for (const name of ['valley', 'coast']) {
    for (const { code } of parseTimetable(read(`${name}.timetable`)).stations) assert.ok(zones.has(code), code);
  }
});
EOF
#say Run it all.
node --test
#done Added src/fares/zones.js with `parseZones` and `zonesBetween`, the zones of both lines in data/zones.csv, and tests. A test makes sure that no station of the shipped timetables is without a zone. All tests pass.
