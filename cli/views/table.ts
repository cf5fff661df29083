import Table from 'cli-table3';
import { displayText } from './text.ts';

const NO_BORDERS = Object.fromEntries(
  [
    ...['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right'],
    ...['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'],
  ].map((name) => [name, '']),
);

/** A column: its heading, and whether it is a number. */
export interface Column {
  head: string;
  align?: 'left' | 'right';
}

/**
 * Rows in columns without borders. Cells are shown on one line each, without control characters but for colours; a column
 * in which no row has anything is left out.
 */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const used = columns.map((_, index) => rows.some((row) => (row[index] ?? '') !== ''));
  const shown = columns.filter((_, index) => used[index]);
  const built = new Table({
    head: shown.map(({ head }) => head),
    colAligns: shown.map(({ align }) => align ?? 'left'),
    chars: NO_BORDERS,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2, compact: true },
  });
  built.push(...rows.map((row) => row.filter((_, index) => used[index]).map((cell) => displayText(cell))));
  return built
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}
