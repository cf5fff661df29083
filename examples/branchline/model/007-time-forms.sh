#task 007
#title Accept the times that people write
#say I'll read the parser of times.
cat src/time.js
#say Four digits get a pattern of their own, ahead of the old one.
node --input-type=module <<'EOF'
import { readFileSync, writeFileSync } from 'node:fs';

const path = 'src/time.js';
const text = readFileSync(path, 'utf8');
writeFileSync(
  path,
  text
    .replace('const CLOCK = /^(\\d{1,2}):(\\d{2})(\\+1)?$/;', 'const CLOCK = /^(\\d{1,2})[:.](\\d{2})(\\+1)?$/;\nconst DIGITS = /^(\\d{2})(\\d{2})(\\+1)?$/;')
    .replace('Reads `6:12` or', 'Reads `6:12`, `6.12`, `0612` or')
    .replace(
      '  const match = CLOCK.exec(text);\n',
      '  const digits = DIGITS.exec(text);\n  if (digits !== null) return Number(digits[1]) * 60 + Number(digits[2]) + (digits[3] === undefined ? 0 : DAY);\n  const match = CLOCK.exec(text);\n',
    ),
);
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

test('three digits are not', () => {
  assert.throws(() => parseTime('112'), RangeError);
});
EOF
#say Run the new tests.
node --test test/time-forms.test.js
#done `parseTime` accepts `6.12` and `0612`, also with `+1`; three digits stay refused. The new tests in test/time-forms.test.js pass.
