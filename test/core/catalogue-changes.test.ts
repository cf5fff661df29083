import { describe, expect, test } from '@jest/globals';
import { catalogueChanges } from '../../core/catalogue-changes.ts';

describe('the changes of a catalogue', () => {
  test('are none where every file is the same', () => {
    expect(catalogueChanges({ a: '1', b: '2' }, { b: '2', a: '1' })).toBeNull();
  });

  test('are told in one line, each kind that there is', () => {
    expect(catalogueChanges({ a: '1', b: '2' }, { a: '1', c: '3' })).toBe('new: c; removed: b');
    expect(catalogueChanges({ a: '1' }, { a: '2' })).toBe('changed: a');
  });

  test('do not make the line long', () => {
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`t${index}`, '1']));
    expect(catalogueChanges({}, many)).toBe('new: t0, t1, t2, t3, t4, t5, t6, t7 and 12 more');
  });
});
