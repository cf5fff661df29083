/** After so many steps the search ends with the best set found. */
const MOST_STEPS = 20_000;

/**
 * The weight of the heaviest set of nodes of which every two are adjacent; after some time, of the heaviest one found,
 * so that the answer is never too large.
 */
export function heaviestClique(weights: readonly number[], adjacent: (a: number, b: number) => boolean): number {
  const nodes = weights.map((_, node) => node).sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0));
  const neighbours = weights.map(() => new Set<number>());
  for (const [at, a] of nodes.entries()) {
    for (const b of nodes.slice(at + 1)) {
      if (!adjacent(a, b)) continue;
      neighbours[a]?.add(b);
      neighbours[b]?.add(a);
    }
  }
  const weightOf = (node: number): number => weights[node] ?? 0;
  let best = 0;
  let steps = 0;
  /** Nodes in an order in which the bound of the first so many grows: of each colour, no two can be in a clique. */
  const coloured = (candidates: readonly number[]): { node: number; bound: number }[] => {
    const result: { node: number; bound: number }[] = [];
    let bound = 0;
    let rest = [...candidates];
    while (rest.length > 0) {
      const colour: number[] = [];
      rest = rest.filter((node) => {
        if (colour.some((other) => neighbours[node]?.has(other))) return true;
        colour.push(node);
        return false;
      });
      bound += Math.max(...colour.map(weightOf));
      result.push(...colour.map((node) => ({ node, bound })));
    }
    return result;
  };
  const search = (weight: number, candidates: readonly number[]): void => {
    best = Math.max(best, weight);
    const order = coloured(candidates);
    for (let at = order.length - 1; at >= 0; at -= 1) {
      const entry = order[at];
      if (entry === undefined || weight + entry.bound <= best || steps >= MOST_STEPS) return;
      steps += 1;
      const near = neighbours[entry.node];
      const before = order.slice(0, at).map(({ node }) => node);
      search(
        weight + weightOf(entry.node),
        before.filter((node) => near?.has(node)),
      );
    }
  };
  search(0, nodes);
  return best;
}
