import { stripVTControlCharacters } from 'node:util';
import Table from 'cli-table3';
import { displayText } from './text.ts';

const NO_BORDERS = Object.fromEntries(
  [
    ...['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right'],
    ...['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'],
  ].map((name) => [name, '']),
);

/** Between two columns. */
const GAP = 2;

/** A column: its heading, whether it is a number, and how few characters it may be cut to where there is no room. */
export interface Column {
  head: string;
  align?: 'left' | 'right';
  cut?: number;
}

/**
 * Rows in columns without borders. Cells are shown on one line each, without control characters but for colours; a column
 * in which no row has anything is left out.
 *
 * @param width characters of a line, or `null` where lines may be of any length
 */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number | null = null,
): string {
  const used = columns.map((_, index) => rows.some((row) => (row[index] ?? '') !== ''));
  const shown = columns.filter((_, index) => used[index]);
  const built = new Table({
    head: shown.map(({ head }) => head),
    colAligns: shown.map(({ align }) => align ?? 'left'),
    chars: NO_BORDERS,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': GAP, compact: true },
  });
  const cells = rows.map((row) => row.filter((_, index) => used[index]).map((cell) => displayText(cell)));
  const widths = fittingWidths(shown, cells, width ?? Infinity);
  built.push(...cells.map((row) => row.map((cell, index) => displayText(cell, widths[index]))));
  return built
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** How many characters each column may have, the last ones cut first; `Infinity` for one that is not cut. */
function fittingWidths(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): number[] {
  const natural = columns.map(({ head }, index) =>
    Math.max(head.length, ...rows.map((row) => stripVTControlCharacters(row[index] ?? '').length)),
  );
  let over = natural.reduce((sum, column) => sum + column + GAP, -GAP) - width;
  return natural
    .toReversed()
    .map((column, index) => {
      const { cut = Infinity } = columns.at(-1 - index) ?? {};
      if (over <= 0 || column <= cut) return Infinity;
      const fitting = Math.max(cut, column - over);
      over -= column - fitting;
      return fitting;
    })
    .toReversed();
}
