import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import type { RunRef } from '../../core/run-ref.ts';
import { NO_USAGE, tokensOf, type Usage } from '../../core/usage.ts';
import { makePrivateDirectory, type Home } from '../home.ts';
import { nameFullDisk, unlessMissing } from '../system-errors.ts';

const count = z.number().nonnegative();
const entrySchema = z.object({
  usage: z.object({ input_tokens: count, cached_input_tokens: count, output_tokens: count, cost_usd: count }),
  /** Bounds that were hit without ending the turn, by key: what was said of each when it was noticed. */
  warnings: z.record(z.string(), z.string()),
  /** Nothing can be added any more. */
  over: z.boolean(),
});

/** What is known of one turn. */
export type UsageEntry = z.infer<typeof entrySchema>;

const NOTHING: UsageEntry = { usage: { ...NO_USAGE }, warnings: {}, over: false };

/**
 * What the turns of a run used, those under way included: `<home>/usage/<project>/<run>/<step>.json`, written by whoever
 * attends to the turn. An entry says what the turn used in all, and only grows, so that it does not matter how many
 * attend to it one after the other, or how often. It is of this host only; all turns of a run are on its home host.
 */
export class UsageLedger {
  readonly #home: Home;
  /** Costs of the turns that are over, by run: they are read once. */
  readonly #settled = new Map<string, Map<string, number>>();

  constructor(home: Home) {
    this.#home = home;
  }

  /** The directory of a run's entries; goes when the run is cleaned up. */
  static directory(home: Home, run: Pick<RunRef, 'project' | 'run'>): string {
    return path.join(home.usage, run.project, run.run);
  }

  /** The entry of a step; an empty one if there is none. */
  read(run: Pick<RunRef, 'project' | 'run'>, step: string): UsageEntry {
    const text = unlessMissing(() => readFileSync(this.#file(run, step), 'utf8'));
    return text === null ? NOTHING : entryOf(text);
  }

  /** Adds what is newly known of a step. @returns the entry as it is now */
  record(run: Pick<RunRef, 'project' | 'run'>, step: string, news: UsageEntry): UsageEntry {
    const text = unlessMissing(() => readFileSync(this.#file(run, step), 'utf8'));
    const known = text === null ? NOTHING : entryOf(text);
    const next: UsageEntry = {
      usage: larger(known.usage, news.usage),
      warnings: { ...news.warnings, ...known.warnings },
      over: known.over || news.over,
    };
    const written = JSON.stringify(next);
    if (written === text) return next;
    const directory = makePrivateDirectory(UsageLedger.directory(this.#home, run));
    const draft = path.join(directory, `.${randomUUID()}`);
    nameFullDisk(directory, () => {
      try {
        writeFileSync(draft, written, { mode: 0o600 });
        renameSync(draft, this.#file(run, step));
      } finally {
        rmSync(draft, { force: true });
      }
    });
    return next;
  }

  /** US dollars that all turns of a run cost so far, but for one step. */
  costOfOthers(run: Pick<RunRef, 'project' | 'run'>, step: string): number {
    const others = [...this.costs(run)].filter(([name]) => name !== step);
    return others.reduce((sum, [, { cost }]) => sum + cost, 0);
  }

  /** US dollars that each turn of a run cost so far, by step, and whether nothing can be added any more. */
  costs(run: Pick<RunRef, 'project' | 'run'>): Map<string, { cost: number; over: boolean }> {
    const costs = new Map<string, { cost: number; over: boolean }>();
    const directory = UsageLedger.directory(this.#home, run);
    if (!existsSync(directory)) return costs;
    const settled = this.#settledOf(directory);
    for (const name of readdirSync(directory)) {
      if (name.startsWith('.')) continue;
      const step = name.slice(0, -'.json'.length);
      const known = settled.get(step);
      const { usage, over } = known === undefined ? this.read(run, step) : NOTHING;
      if (over) settled.set(step, usage.cost_usd);
      costs.set(step, { cost: known ?? usage.cost_usd, over: known !== undefined || over });
    }
    return costs;
  }

  #settledOf(directory: string): Map<string, number> {
    const settled = this.#settled.get(directory) ?? new Map<string, number>();
    // Runs that have ended are not asked for again: of those, a few are kept.
    this.#settled.delete(directory);
    this.#settled.set(directory, settled);
    const oldest = this.#settled.keys().next();
    if (this.#settled.size > 16 && !oldest.done) this.#settled.delete(oldest.value);
    return settled;
  }

  #file(run: Pick<RunRef, 'project' | 'run'>, step: string): string {
    return path.join(UsageLedger.directory(this.#home, run), `${step}.json`);
  }
}

/** Each by itself: tokens as they belong together, and the costs. */
function larger(a: Usage, b: Usage): Usage {
  const more = tokensOf(b) > tokensOf(a) ? b : a;
  return { ...more, cost_usd: Math.max(a.cost_usd, b.cost_usd) };
}

function entryOf(text: string): UsageEntry {
  try {
    return entrySchema.parse(JSON.parse(text));
  } catch {
    // A machine that lost its power may have left half a file; the turn is counted again from what it left.
    return NOTHING;
  }
}
