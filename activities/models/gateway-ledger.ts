import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';

import { z } from 'zod';

import { NO_STEP_USE, type StepUse } from '../../core/metered-usage.ts';
import { addUsage, type Usage } from '../../core/usage.ts';
import type { Home } from '../home.ts';
import { unlessMissing } from '../system-errors.ts';
import { writeWhole } from '../whole-file.ts';
import { gatewayLayout } from './gateway-layout.ts';

/** The most steps whose counts are kept, in memory and on disk. */
const MOST_STEPS = 10_000;
const LONGEST_MODEL = 100;
/** Of a file of counts, in bytes. */
const LONGEST_FILE = 64 * 1024;
/** Beside the counts of a step: the budget for which it was refused first. */
const REFUSAL = 'refusal';

const count = z.number().int().nonnegative();
const usage = z.object({
  input_tokens: count,
  cached_input_tokens: count,
  output_tokens: count,
  cost_usd: z.literal(0),
});
const stepUse = z.object({ requests: count, usage, models: z.record(z.string(), usage) });

/**
 * Counts requests and tokens for each step. What responses reported is on disk before the step has it, so that the
 * gateway's death loses none of it: `<directory>/<step>/<gateway>.json`, a file of its own for each gateway process,
 * whose last line holds all that this one counted. So one that still drains its streams and the one that took its place
 * never write to the same file, and nothing is counted twice.
 */
export class GatewayLedger {
  readonly #directory: string;
  readonly #file: string;
  /** What this gateway counted itself, in the order of the last use. */
  readonly #own = new Map<string, StepUse>();
  #total: StepUse = { ...NO_STEP_USE };

  /**
   * @param directory need not exist; its parent does
   * @param gateway names this process; no other one has the name
   */
  constructor(directory: string, gateway: string) {
    this.#directory = directory;
    this.#file = `${gateway}.json`;
  }

  /** Counts a request, when it comes in. Kept in memory until a response tells of tokens: nothing is decided by it. */
  request(step: string): void {
    this.#add(step, { ...NO_STEP_USE, requests: 1 });
  }

  /**
   * Adds what one response reported, and keeps it.
   *
   * @param model as the response names it; `''` if it does not
   * @throws what writing throws; it is counted in memory all the same, and the next write brings it to the disk
   */
  response(step: string, used: Usage, model: string): void {
    const next = this.#add(step, { requests: 0, usage: used, models: { [model.slice(0, LONGEST_MODEL)]: used } });
    const file = path.join(this.#directoryOf(step), this.#file);
    const line = JSON.stringify(next);
    const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    // To replace a file can take milliseconds on a busy disk, and all streams stand still meanwhile.
    if (size > LONGEST_FILE) writeWhole(file, line);
    else appendFileSync(file, `\n${line}`, { mode: 0o600 });
  }

  /** Keeps why a step was refused, for {@link refusalOf}. */
  refused(step: string, why: string): void {
    const file = path.join(this.#directoryOf(step), REFUSAL);
    if (!existsSync(file)) writeWhole(file, why);
  }

  /** What a step used, with what earlier gateways counted; zero for one that never asked. */
  of(step: string): StepUse {
    return sum(this.#own.get(step) ?? this.#read(step, this.#file), ...this.#others(step));
  }

  /** What all steps used since the gateway started. */
  get total(): StepUse {
    return this.#total;
  }

  /** Forgets the steps that were quiet longest, when there are too many. To be called when the gateway starts. */
  prune(): void {
    const steps = files(this.#directory);
    if (steps.length <= MOST_STEPS) return;
    const byAge = steps
      .map((step) => ({ step, at: Math.max(...[step, ...files(step)].map(timeOf)) }))
      .sort((a, b) => b.at - a.at);
    for (const { step } of byAge.slice(MOST_STEPS)) rmSync(step, { recursive: true, force: true });
  }

  #directoryOf(step: string): string {
    const directory = path.join(this.#directory, step);
    // Not with its parents: a home that is gone must not come back.
    for (const place of [this.#directory, directory]) if (!existsSync(place)) mkdirSync(place, { mode: 0o700 });
    return directory;
  }

  #add(step: string, use: StepUse): StepUse {
    // After it was forgotten, its count goes on from its file.
    const next = sum(this.#own.get(step) ?? this.#read(step, this.#file), use);
    // Deleted first, so that the map's order is that of the last use.
    this.#own.delete(step);
    this.#own.set(step, next);
    this.#total = sum(this.#total, use);
    if (this.#own.size > MOST_STEPS) {
      const oldest = this.#own.keys().next();
      if (!oldest.done) this.#own.delete(oldest.value);
    }
    return next;
  }

  #others(step: string): StepUse[] {
    const names = entries(path.join(this.#directory, step)).filter((name) => /^[^.].*\.json$/.test(name));
    return names.filter((name) => name !== this.#file).map((name) => this.#read(step, name));
  }

  #read(step: string, name: string): StepUse {
    let text = '';
    try {
      text = readFileSync(path.join(this.#directory, step, name), 'utf8');
    } catch {
      // There is none.
    }
    for (const line of text.split('\n').reverse()) {
      try {
        return stepUse.parse(JSON.parse(line));
      } catch {
        // A full disk, or a machine that lost its power, left it half-written; the one before is whole.
      }
    }
    return { ...NO_STEP_USE };
  }
}

/** The bound for which a gateway of the home refused a step; `null` if none did. */
export function refusalOf(home: Home, step: string): string | null {
  return unlessMissing(() => readFileSync(path.join(gatewayLayout(home).usage, step, REFUSAL), 'utf8'));
}

function sum(...uses: readonly StepUse[]): StepUse {
  const models: Record<string, Usage> = {};
  for (const [model, used] of uses.flatMap((use) => Object.entries(use.models)))
    models[model] = addUsage(models[model] ?? NO_STEP_USE.usage, used);
  const requests = uses.reduce((all, use) => all + use.requests, 0);
  return { requests, usage: addUsage(...uses.map((use) => use.usage)), models };
}

function files(directory: string): string[] {
  return entries(directory).map((name) => path.join(directory, name));
}

function timeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function entries(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}
