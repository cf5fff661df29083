#task 008
#title Find trains that stand at the same platform
#say I'll read the rules that exist.
cat src/validate.js src/rules/*.js test/validate.test.js docs/commands/check.md
#say A stand is an interval in minutes with both ends included. A train past midnight stands there on the next day, so I compare over the days of the week, the minutes counted from Monday.
cat > src/rules/platform-clashes.js <<'EOF'
import { DAY, formatTime } from '../time.js';

const WEEK = 7 * DAY;

/**
 * Two trains may not stand at one platform in the same minute. The later train of the timetable gets the problem, once
 * for each platform, with the first minute that they share.
 */
export function platformClashes({ trains }) {
  const stands = trains.flatMap(standsOf);
  return stands.flatMap((stand, index) => {
    for (const other of stands.slice(0, index)) {
      const minute = other.train === stand.train ? undefined : firstShared(other, stand);
      if (minute !== undefined) return [{ train: stand.train.number, problem: describe(stand, minute, other) }];
    }
    return [];
  });
}

/** Where and when a train stands; minutes as in the timetable, both ends included. */
function standsOf(train) {
  return train.stops
    .filter(({ platform }) => platform !== null)
    .map(({ station, platform, arrival, departure }) => {
      return { train, station, platform, first: arrival ?? departure, last: departure ?? arrival };
    });
}

/** The first minute that two stands share on any days of theirs, on the second one's clock; undefined without one. */
function firstShared(a, b) {
  if (a.station !== b.station || a.platform !== b.platform) return undefined;
  const minutes = a.train.days.flatMap((dayOfA) =>
    b.train.days.flatMap((dayOfB) =>
      // A Sunday's train may meet a Monday's after midnight: the week is a circle.
      [-WEEK, 0, WEEK].flatMap((turn) => {
        const shift = (dayOfA - dayOfB) * DAY + turn;
        const first = Math.max(a.first + shift, b.first);
        return first <= Math.min(a.last + shift, b.last) ? [first] : [];
      }),
    ),
  );
  return minutes.length === 0 ? undefined : Math.min(...minutes);
}

function describe({ station, platform }, minute, other) {
  return `stands at ${station} platform ${platform} at ${formatTime(minute)} together with train ${other.train.number}`;
}
EOF
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
  'src/validate.js',
  ["import { timesGoForward }", "import { platformClashes } from './rules/platform-clashes.js';\nimport { timesGoForward }"],
  ['timesGoForward];', 'timesGoForward, platformClashes];'],
);
edit('docs/commands/check.md', [
  'and that times go\nforward.',
  'that times go\nforward, and that no two trains stand at one platform at the same time.',
]);
EOF
#say Tests: both ends, different days, and after midnight.
cat > test/platform-clashes.test.js <<'EOF'
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTimetable } from '../src/parse.js';
import { validate } from '../src/validate.js';

const STATIONS = 'line A\nstation X Exton\nstation Y Wyton\nstation Z Zetland\n';
const problemsOf = (...trains) =>
  validate(parseTimetable(STATIONS + trains.join('\n'))).map(({ train, problem }) => `${train} ${problem}`);
const through = (number, days, times) => `train ${number} ${days}\n X 00:00\n Y ${times}\n Z 05:00+1\n`;

test('trains that share a minute at a platform clash, both ends included', () => {
  assert.deepEqual(problemsOf(through(1, 'Mo', '06:30 06:32 @2'), through(2, 'Mo', '06:32 06:40 @2')), [
    '2 stands at Y platform 2 at 06:32 together with train 1',
  ]);
  assert.deepEqual(problemsOf(through(1, 'Mo', '06:30 06:32 @2'), through(2, 'Mo', '06:33 06:40 @2')), []);
});

test('another platform, no platform or another day is no clash', () => {
  assert.deepEqual(problemsOf(through(1, 'Mo', '06:30 @2'), through(2, 'Mo', '06:30 @3')), []);
  assert.deepEqual(problemsOf(through(1, 'Mo', '06:30'), through(2, 'Mo', '06:30')), []);
  assert.deepEqual(problemsOf(through(1, 'Mo-We', '06:30 @2'), through(2, 'Th-Su', '06:30 @2')), []);
});

test('a train after midnight clashes with one of the next day, also from Sunday to Monday', () => {
  for (const [first, second] of [['Fr', 'Sa'], ['Su', 'Mo']]) {
    assert.deepEqual(problemsOf(through(1, first, '00:10+1 @2'), through(2, second, '00:05 00:20 @2')), [
      '2 stands at Y platform 2 at 00:10 together with train 1',
    ]);
  }
});

test('the end of a way counts with its only time', () => {
  const ends = 'train 1\n X 06:00\n Y 06:30 @1\n';
  const starts = 'train 2\n Y 06:30 @1\n Z 07:00\n';
  assert.deepEqual(problemsOf(ends, starts), ['2 stands at Y platform 1 at 06:30 together with train 1']);
});
EOF
node --test
#say And the shipped timetables.
node bin/branchline.js check data/*.timetable
#done `check` finds trains that stand at one platform in the same minute, over midnight and over the end of the week too. The shipped timetables have none. All tests pass.
