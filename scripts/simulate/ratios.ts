import { simulateBarrier } from './barrier.ts';
import { boundsOf, type Bounds } from './bounds.ts';
import { randomGraph, type SimInput } from './graph.ts';
import { simulateRolling } from './rolling.ts';
import { makespanOf, type Span } from './span.ts';

/** One simulated graph. */
export interface Outcome {
  input: SimInput;
  spans: Span[];
  barrier: Span[];
  bounds: Bounds;
  /** Makespan over the largest of the bounds. */
  ratio: number;
  barrierRatio: number;
}

/** Median, 95th percentile and maximum. */
export interface Spread {
  median: number;
  p95: number;
  max: number;
}

/** Simulates the graph of a seed. */
export function simulate(seed: number): Outcome {
  const input = randomGraph(seed);
  const spans = simulateRolling(input);
  const barrier = simulateBarrier(input);
  const bounds = boundsOf(input, spans);
  const least = Math.max(bounds.criticalPath, bounds.work, bounds.exclusive, bounds.order);
  return { input, spans, barrier, bounds, ratio: makespanOf(spans) / least, barrierRatio: makespanOf(barrier) / least };
}

/** How values are spread; percentiles by nearest rank. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
  return { median: rank(0.5), p95: rank(0.95), max: rank(1) };
}
