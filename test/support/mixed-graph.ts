import type { TaskView } from '../../core/run-state.ts';

/**
 * So many tasks (a multiple of 50), by fifties: a chain of ten; fans of a root, eight leaves and what joins them; ten
 * tasks that write one folder, ten that read what another chain writes, and ten that nothing concerns.
 */
export function mixedGraph(count: number): (Partial<TaskView> & { id: string })[] {
  return Array.from({ length: count }, (_, index) => {
    const id = nameOf(index);
    const first = index - (index % 10);
    const fifty = index - (index % 50);
    switch (Math.floor((index % 50) / 10)) {
      case 0:
        return { id, depends_on: index === first ? [] : [nameOf(index - 1)], priority: index % 3 };
      case 1: {
        const leaves = Array.from({ length: 8 }, (_leaf, leaf) => nameOf(first + 1 + leaf));
        return { id, depends_on: index === first ? [] : index === first + 9 ? leaves : [nameOf(first)] };
      }
      case 2:
        return { id, claims: { reads: [], writes: [`shared/${fifty}/**`] } };
      case 3:
        return {
          id,
          claims: { reads: [`${nameOf(fifty + (index % 10))}/*.ts`], writes: [`${id}/**`] },
          estimate: 60_000,
        };
      default:
        return { id };
    }
  });
}

function nameOf(index: number): string {
  return `t${String(index).padStart(4, '0')}`;
}
