#task 007
#title Accept the times that people write
#when what is no time of day is refused
#say The check failed: `1260` and `2400` were refused before and are accepted now, since my branch for four digits went past the range check. I'll look at the file as it is.
cat src/time.js test/time.test.js
#say One pattern for all forms, so that every form goes through the same check.
node --input-type=module <<'EOF'
import { readFileSync, writeFileSync } from 'node:fs';

const path = 'src/time.js';
let text = readFileSync(path, 'utf8');
const start = text.indexOf('const CLOCK');
const end = text.indexOf('/** The opposite of `parseTime`');
if (start < 0 || end < start) throw new Error(`${path} is not as expected`);
text =
  text.slice(0, start) +
  `const CLOCK = /^(?:(\\d{1,2})[:.](\\d{2})|(\\d{2})(\\d{2}))(\\+1)?$/;

/**
 * Reads \`6:12\`, \`6.12\`, \`0612\` or \`00:10+1\` as minutes after midnight of the day on which the train starts; \`+1\` is
 * the day after. Throws a RangeError for anything else.
 */
export function parseTime(text) {
  const match = CLOCK.exec(text);
  if (match === null) throw new RangeError(\`not a time: "\${text}"\`);
  const hours = Number(match[1] ?? match[3]);
  const minutes = Number(match[2] ?? match[4]);
  if (hours > 23 || minutes > 59) throw new RangeError(\`not a time of day: "\${text}"\`);
  return hours * 60 + minutes + (match[5] === undefined ? 0 : DAY);
}

` +
  text.slice(end);
writeFileSync(path, text);
EOF
cat > test/time-forms.test.js <<'EOF'
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTime } from '../src/time.js';

test('a dot may stand for the colon', () => {
  assert.equal(parseTime('6.12'), 372);
  assert.equal(parseTime('00.10+1'), 1450);
});

test('four digits are a time', () => {
  assert.equal(parseTime('0612'), 372);
  assert.equal(parseTime('0010+1'), 1450);
});

test('every form has the same range', () => {
  for (const text of ['24.00', '12.60', '2400', '1260', '2400+1']) assert.throws(() => parseTime(text), RangeError, text);
});

test('three digits, five digits and other separators are not a time', () => {
  for (const text of ['112', '06123', '6,12', '6 12', '06:1:2']) assert.throws(() => parseTime(text), RangeError, text);
});
EOF
#say This time the whole suite, not only the new file.
node --test
#done `parseTime` reads `6:12`, `6.12` and `0612` with one pattern, so that all forms have the same range; `1260` and `2400` are refused again, and tests say so. The whole suite passes.
