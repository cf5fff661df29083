#task 001
#title Export a ride as a calendar file
#say I'll see how a command is built and what the timetable looks like.
cat src/commands/check.js src/timetable.js src/errors.js && ls src docs/commands test
#say The module first: date arithmetic in UTC, so that no time zone of this machine gets in.
cat > src/calendar.js <<'EOF'
import { UsageError } from './errors.js';
import { DAY } from './time.js';
import { stationName } from './timetable.js';

/**
 * One iCalendar event (RFC 5545) for the whole ride of a train on a date, `YYYY-MM-DD`, in local time without a zone.
 * The same question gives the same text. Throws a UsageError when the train does not run on that date.
 */
export function toCalendar(timetable, { train: number, date }) {
  const midnight = parseDate(date);
  const trains = timetable.trains.filter((train) => train.number === number);
  if (trains.length === 0) throw new UsageError(`no train ${number}`);
  const weekday = (midnight.getUTCDay() + 6) % 7;
  const train = trains.find(({ days }) => days.includes(weekday));
  if (train === undefined) throw new UsageError(`train ${number} does not run on ${date}`);
  const first = train.stops[0];
  const last = train.stops.at(-1);
  const start = localTime(midnight, first.departure);
  const ends = [first, last].map(({ station }) => stationName(timetable, station));
  const lines = [
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//branchline//EN',
    'BEGIN:VEVENT',
    `UID:${date}-${number}@branchline`,
    `DTSTAMP:${start}`,
    `DTSTART:${start}`,
    `DTEND:${localTime(midnight, last.arrival)}`,
    `SUMMARY:${escapeText(`Train ${number} ${ends.join(' to ')}`)}`,
    'END:VEVENT',
    'END:VCALENDAR',
  ];
  return lines.map((line) => `${line}\r\n`).join('');
}

/** A date as its midnight in UTC; 2026-02-30 is none. */
function parseDate(text) {
  const date = new Date(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : NaN);
  if (Number.isNaN(date.getTime()) || date.toISOString().slice(0, 10) !== text) {
    throw new UsageError(`not a date: "${text}", expected YYYY-MM-DD`);
  }
  return date;
}

/** A minute of the train's day as `20260413T061200`; those past midnight are on the next date. */
function localTime(midnight, minutes) {
  const at = new Date(midnight.getTime() + (minutes * 86_400_000) / DAY);
  return at.toISOString().slice(0, 19).replace(/[-:]/g, '');
}

function escapeText(text) {
  return text.replace(/[\\;,]/g, (character) => `\\${character}`);
}
EOF
#say Now the command and its page.
cat > src/commands/calendar.js <<'EOF'
import { parseArgs } from 'node:util';
import { toCalendar } from '../calendar.js';
import { UsageError } from '../errors.js';

export const usage = 'branchline calendar TRAIN --date YYYY-MM-DD FILE...';

export async function run(args, { stdout, readTimetable }) {
  const { values, positionals } = parseArgs({ args, options: { date: { type: 'string' } }, allowPositionals: true });
  const [train, ...files] = positionals;
  if (values.date === undefined) throw new UsageError('on which date? Give --date YYYY-MM-DD.');
  stdout.write(toCalendar(await readTimetable(files), { train, date: values.date }));
  return 0;
}
EOF
cat > docs/commands/calendar.md <<'EOF'
# branchline calendar

    branchline calendar TRAIN --date YYYY-MM-DD FILE...

Prints the whole ride of a train on that date as an iCalendar file with one event, in local time. A train that does not
run on that date is an error, exit code 2.
EOF
#say Tests, with the end of a month and a name that needs escaping.
cat > test/calendar.test.js <<'EOF'
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { toCalendar } from '../src/calendar.js';
import { main } from '../src/cli.js';
import { parseTimetable } from '../src/parse.js';

const file = fileURLToPath(new URL('../data/valley.timetable', import.meta.url));
const valley = parseTimetable(readFileSync(file, 'utf8'));
const linesOf = (timetable, question) => toCalendar(timetable, question).split('\r\n');

test('a ride is one event in local time', () => {
  const lines = linesOf(valley, { train: '101', date: '2026-04-13' });
  assert.deepEqual([lines[0], lines.at(-2), lines.at(-1)], ['BEGIN:VCALENDAR', 'END:VCALENDAR', '']);
  for (const line of [
    'UID:2026-04-13-101@branchline',
    'DTSTAMP:20260413T061200',
    'DTSTART:20260413T061200',
    'DTEND:20260413T065800',
    'SUMMARY:Train 101 Abbots Bridge to Delling',
  ]) {
    assert.ok(lines.includes(line), line);
  }
});

test('a ride past midnight ends on the next date, also in the next month', () => {
  assert.ok(linesOf(valley, { train: '105', date: '2026-07-31' }).includes('DTEND:20260801T002000'));
});

test('names are escaped', () => {
  const timetable = parseTimetable('line A\nstation X Ex; on\nstation Y Y, town\ntrain 1\n X 6:00\n Y 7:00\n');
  assert.ok(linesOf(timetable, { train: '1', date: '2026-04-13' }).includes('SUMMARY:Train 1 Ex\\; on to Y\\, town'));
});

test('what does not run is refused', () => {
  assert.throws(() => toCalendar(valley, { train: '999', date: '2026-04-13' }), /no train 999/);
  assert.throws(() => toCalendar(valley, { train: '101', date: '2026-04-12' }), /does not run on 2026-04-12/);
  for (const date of ['2026-02-30', '13.4.2026', '']) {
    assert.throws(() => toCalendar(valley, { train: '101', date }), /not a date/);
  }
});

test('the command prints the file and wants a date', async () => {
  const out = { text: '', write: (text) => (out.text += text) };
  assert.equal(await main(['calendar', '103', '--date', '2026-04-12', file], out, out), 0);
  assert.match(out.text, /^BEGIN:VCALENDAR\r\n/);
  assert.equal(await main(['calendar', '103', file], out, out), 2);
});
EOF
#say Everything together.
node --test
#done Added `branchline calendar`: `toCalendar` in src/calendar.js, the command, its page and tests. Rides past midnight end on the next date, also over the end of a month. All tests pass.
