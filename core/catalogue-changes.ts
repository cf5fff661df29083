/**
 * Says in one line how a catalogue differs from an earlier one; `null` if it does not.
 *
 * @param before the digests of the task files then, by id
 * @param now those of today
 */
export function catalogueChanges(
  before: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
): string | null {
  const ids = Object.keys(now);
  const groups = [
    ['new', ids.filter((id) => before[id] === undefined)],
    ['changed', ids.filter((id) => before[id] !== undefined && before[id] !== now[id])],
    ['removed', Object.keys(before).filter((id) => now[id] === undefined)],
  ] as const;
  const said = groups.flatMap(([word, tasks]) => (tasks.length === 0 ? [] : [`${word}: ${someIds(tasks)}`]));
  return said.length === 0 ? null : said.join('; ');
}

/** A list of ids for a line: the first ones, and how many more there are. */
export function someIds(ids: readonly string[]): string {
  return ids.slice(0, 8).join(', ') + (ids.length > 8 ? ` and ${ids.length - 8} more` : '');
}
