/** How often the tasks with the most freedom are left out, to see whether the others alone take longer. */
const ROUNDS = 6;

/**
 * How long tasks take at least, if each is done as much in parallel as its clashes allow. A task that can have at most
 * k - 1 others beside it (by the places, and by how few of those that it goes with go with each other) counts with a
 * k-th of its duration: of tasks that run at once, these shares never sum to more than one. The same holds for every
 * part of the tasks.
 *
 * @param excludes can two tasks not run at once?
 */
export function leastParallel(
  durations: readonly number[],
  tasks: readonly number[],
  places: number,
  excludes: (a: number, b: number) => boolean,
): number {
  let best = 0;
  let part = [...tasks];
  for (let round = 0; round < ROUNDS && part.length > 0; round += 1) {
    const most = new Map(part.map((task) => [task, Math.min(places, 1 + mostBeside(task, part, excludes))]));
    best = Math.max(
      best,
      part.reduce((sum, task) => sum + (durations[task] ?? 0) / (most.get(task) ?? 1), 0),
    );
    const sorted = [...most.values()].sort((a, b) => b - a);
    const cut = sorted[Math.floor(sorted.length / 4)] ?? 0;
    part = part.filter((task) => (most.get(task) ?? 0) < cut);
  }
  return best;
}

/** At most so many of the others run at once beside a task: into so many sets they fall of which only one can run. */
function mostBeside(task: number, part: readonly number[], excludes: (a: number, b: number) => boolean): number {
  const sets: number[][] = [];
  for (const other of part) {
    if (other === task || excludes(task, other)) continue;
    const set = sets.find((members) => members.every((member) => excludes(member, other)));
    if (set === undefined) sets.push([other]);
    else set.push(other);
  }
  return sets.length;
}
