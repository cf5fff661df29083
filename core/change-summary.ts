/** Most files that a summary names, and most characters of each path that it shows. */
const MOST_FILES = 30;
const MOST_CHARACTERS = 120;

/** What a piece of work changed, as text for people and agents, in the manner of `git diff --stat`; bounded. */
export function changeSummary(
  stats: readonly { path: string; lines: { added: number; removed: number } | null }[],
): string {
  if (stats.length === 0) return '';
  const shown = stats.slice(0, MOST_FILES).map(({ path, lines }) => {
    return ` ${shownPath(path)} | ${lines === null ? 'not text' : `+${lines.added} -${lines.removed}`}`;
  });
  const more = stats.length > MOST_FILES ? [` … and ${stats.length - MOST_FILES} more`] : [];
  const sum = (of: 'added' | 'removed'): number => stats.reduce((total, { lines }) => total + (lines?.[of] ?? 0), 0);
  const files = stats.length === 1 ? '1 file' : `${stats.length} files`;
  return [...shown, ...more, ` ${files} changed, +${sum('added')} -${sum('removed')}`].join('\n');
}

/** A path may hold anything but NUL: one line of it, without what a terminal would act on. */
export function shownPath(path: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what it replaces
  const plain = path.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '?');
  return plain.length <= MOST_CHARACTERS ? plain : `…${plain.slice(1 - MOST_CHARACTERS)}`;
}
