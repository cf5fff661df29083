import type { Config } from './config.ts';
import { formatDuration } from './duration.ts';
import type { Manifest } from './task-file.ts';

/** The bounds of one task's turns. */
export interface Limits {
  /** Milliseconds. */
  taskTime: number;
  /** Milliseconds. */
  silence: number;
  /** `null`: no bound. */
  tokensPerTask: number | null;
  /** US dollars; `null`: no bound. */
  costPerRun: number | null;
  mode: Config['limits']['mode'];
}

/** The bounds of a task: the configuration's, with the task file's own in their place. */
export function limitsOf({ limits }: Pick<Config, 'limits'>, task: Pick<Manifest, 'limits'>): Limits {
  return {
    taskTime: task.limits.task_time ?? limits.task_time,
    silence: task.limits.silence ?? limits.silence,
    tokensPerTask: task.limits.tokens_per_task ?? limits.tokens_per_task ?? null,
    costPerRun: limits.cost_per_run ?? null,
    mode: limits.mode,
  };
}

/** What was used up to a moment. */
export interface Used {
  /** How long agents worked on the task, over all its turns, in milliseconds. */
  taskMs: number;
  /** How long the agent has printed nothing, in milliseconds. */
  silentMs: number;
  /** Tokens in and out, over all turns of the task. */
  taskTokens: number;
  /** US dollars, over all tasks of the run. */
  runCost: number;
}

/** A bound that was hit: the key of `limits` and one sentence. */
export interface LimitHit {
  key: 'task_time' | 'silence' | 'tokens_per_task' | 'cost_per_run';
  sentence: string;
}

/**
 * Which bounds are hit, each with what was used and what the bound is.
 *
 * @param allowance how often the bounds count: a person who lets a stopped task go on raises it by one. Silence is of one
 * turn, and counts once
 */
export function limitsHit(limits: Limits, used: Used, allowance: number): LimitHit[] {
  const { taskTime, silence, tokensPerTask, costPerRun } = limits;
  const bounds = [
    { key: 'task_time', limit: taskTime, value: used.taskMs, show: wholeSeconds, did: 'agents worked on the task for' },
    { key: 'silence', limit: silence, value: used.silentMs, show: wholeSeconds, did: 'the agent printed nothing for' },
    { key: 'tokens_per_task', limit: tokensPerTask, value: used.taskTokens, show: tokens, did: 'the task used' },
    { key: 'cost_per_run', limit: costPerRun, value: used.runCost, show: dollars, did: 'the run cost' },
  ] as const;
  return bounds.flatMap(({ key, limit, value, show, did }) => {
    const times = key === 'silence' ? 1 : allowance;
    if (limit === null || value < limit * times) return [];
    const granted = times === 1 ? '' : `, granted ${times} times`;
    return [{ key, sentence: `${did} ${show(value)}; limits.${key} is ${show(limit)}${granted}` }];
  });
}

/**
 * The most time that one turn gets, in milliseconds. A bound that only warns holds for each turn, since nothing may run
 * for ever; one that blocks is for the whole task, and a turn gets what is left of it.
 *
 * @param spent how long agents worked on the task before
 */
export function turnTime(limits: Limits, spent: number, allowance: number): number {
  return limits.mode === 'warn' ? limits.taskTime : Math.max(1000, limits.taskTime * allowance - spent);
}

function wholeSeconds(milliseconds: number): string {
  return formatDuration(milliseconds < 1000 ? milliseconds : Math.floor(milliseconds / 1000) * 1000);
}

function tokens(count: number): string {
  return `${String(count).replace(/\B(?=(\d{3})+$)/g, ',')} tokens`;
}

/** Cents, and for small sums as many places as it takes to tell it from zero. */
function dollars(sum: number): string {
  const places = sum === 0 || sum >= 0.01 ? 2 : Math.min(8, 1 - Math.floor(Math.log10(sum)));
  return `$${sum.toFixed(places)}`;
}
