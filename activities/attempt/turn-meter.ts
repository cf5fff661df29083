import { readFileSync } from 'node:fs';
import { limitsHit, type LimitHit, type Limits } from '../../core/limits.ts';
import { unpricedSentence } from '../../core/metered-usage.ts';
import type { Price } from '../../core/prices.ts';
import type { RunRef } from '../../core/run-ref.ts';
import { NO_USAGE, tokensOf, type Usage } from '../../core/usage.ts';
import type { AgentTurnResult, RunTurnOptions } from '../agent/agent.ts';
import type { Home } from '../home.ts';
import { grantBudget } from '../models/budget.ts';
import { refusalOf } from '../models/gateway-ledger.ts';
import { stepUsage } from '../models/step-usage.ts';
import type { UsageEntry, UsageLedger } from '../records/usage-ledger.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { StepDirectory } from '../sandbox/step-directory.ts';
import { unlessMissing } from '../system-errors.ts';

/** How often a turn is looked at while it runs, in milliseconds. */
const LOOK = 1000;

/** What a {@link TurnMeter} counts, and for whom. */
export interface TurnMeterOptions {
  home: Home;
  ledger: UsageLedger;
  sandbox: Sandbox;
  run: Pick<RunRef, 'project' | 'run'>;
  /** The name of the turn's step. */
  step: string;
  limits: Limits;
  allowance: number;
  /** What the task used before this turn. */
  spent: Readonly<Usage>;
  spentMs: number;
  /** What the agent was told to use, if it was told. */
  model: string | undefined;
  prices: Readonly<Record<string, Price>>;
}

/** What a turn came to, as far as its bounds go. */
export interface MeteredTurn {
  usage: Usage;
  warnings: string[];
  /** The bound for which it was ended, refused a model, or not even started; `null` if it was for none. */
  limit: string | null;
}

/**
 * Counts what one turn uses while it runs, keeps it in the ledger, and under `block` ends the turn's step when a bound is
 * hit. All that it has to remember is on disk: whoever attends to the turn next comes to the same result.
 */
export class TurnMeter {
  readonly #options: TurnMeterOptions;
  readonly #record: StepDirectory;
  /** Bounds that were hit before the turn began. Whoever hit them has warned. */
  readonly #before: readonly LimitHit[];
  #told: Usage = { ...NO_USAGE };
  #began: number | null = null;
  #printed = 0;
  #looking = false;
  #left = false;

  constructor(options: TurnMeterOptions) {
    this.#options = options;
    this.#record = new StepDirectory(options.home.steps, options.step);
    this.#before = this.#hits(NO_USAGE, 0, 0);
  }

  /** A bound is hit already, and the turn was not started: it must not be. */
  get refuses(): boolean {
    return this.#blocks && this.#before.length > 0 && this.#record.input() === null;
  }

  /** For the agent. */
  get hooks(): Pick<RunTurnOptions, 'onProgress' | 'onOutput'> {
    return {
      onProgress: ({ usage }) => void (this.#told = usage),
      onOutput: () => void (this.#printed = Date.now()),
    };
  }

  /** Looks after the turn for as long as `work` attends to it. */
  async attend<T>(work: () => Promise<T>): Promise<T> {
    this.#grant();
    const timer = setInterval(() => {
      if (this.#looking) return;
      this.#looking = true;
      // What goes wrong here is tried again, or comes up when the turn is over.
      this.#look()
        .catch(() => undefined)
        .finally(() => (this.#looking = false));
    }, LOOK);
    try {
      return await work();
    } finally {
      clearInterval(timer);
      this.#left = true;
    }
  }

  /** The account of a turn that is over, the same whenever it is asked for; of a refused one without a result. */
  async settle(result: AgentTurnResult | null): Promise<MeteredTurn> {
    if (result === null) return { usage: { ...NO_USAGE }, warnings: [], limit: sentences(this.#before).join('; ') };
    const { ledger, run, step } = this.#options;
    const known = ledger.read(run, step);
    const entry = known.over ? known : await this.#close(result);
    return { usage: entry.usage, warnings: Object.values(entry.warnings), limit: this.#limitOf(result) };
  }

  /** The gateway refuses what is beyond a bound, also where nobody attends to the turn. */
  #grant(): void {
    const { home, step, limits, allowance, spent, model = null, prices } = this.#options;
    const { tokensPerTask, costPerRun } = limits;
    if (!this.#blocks || (tokensPerTask === null && costPerRun === null)) return;
    grantBudget(home, step, { tokensPerTask, costPerRun, allowance, spentTokens: tokensOf(spent), model, prices });
  }

  /** The bound that a turn came to its end by. One that went on after the gateway's refusal, and finished, has none. */
  #limitOf({ outcome }: AgentTurnResult): string | null {
    if (outcome === 'finished') return null;
    if (outcome === 'failed') return this.#refusedFor();
    return this.#endedFor();
  }

  async #close(result: AgentTurnResult): Promise<UsageEntry> {
    const { limits, allowance, spentMs } = this.#options;
    this.#told = result.usage;
    const { usage, unpriced } = await this.#count();
    const late = result.outcome === 'timed_out' && this.#blocks;
    // The clock of the step and ours may differ by a moment.
    const least = late ? limits.taskTime * allowance - spentMs : 0;
    const hits = this.#hits(usage, Math.max(least, result.durationMs), 0);
    if (late) this.#record.publish('limit', sentences(hits.filter(({ key }) => key === 'task_time')).join('; '));
    return this.#keep(usage, unpriced, this.#endedFor() === null && this.#limitOf(result) === null ? hits : [], true);
  }

  get #blocks(): boolean {
    return this.#options.limits.mode === 'block';
  }

  async #look(): Promise<void> {
    // Making room for a step, such as its image, is no work of the agent.
    if (this.#record.input() === null) return;
    const now = Date.now();
    this.#began ??= now;
    const silent = now - Math.max(this.#began, this.#printed);
    const { usage, unpriced } = await this.#count();
    // Over meanwhile, or left to somebody else.
    if (this.#left) return;
    const hits = this.#hits(usage, now - this.#began, silent);
    this.#keep(usage, unpriced, this.#blocks ? [] : hits, false);
    if (!this.#blocks || hits.length === 0) return;
    // First the reason: without it the next one to attend would take it for a person's word.
    this.#record.publish('limit', sentences(hits).join('; '));
    await this.#options.sandbox.end(this.#options.step);
  }

  async #count(): ReturnType<typeof stepUsage> {
    const { home, step, model, prices } = this.#options;
    return await stepUsage(home, step, this.#told, model, prices);
  }

  #hits(usage: Readonly<Usage>, workedMs: number, silentMs: number): LimitHit[] {
    const { limits, allowance, ledger, run, step, spent, spentMs } = this.#options;
    const others = limits.costPerRun === null ? 0 : ledger.costOfOthers(run, step);
    const used = {
      taskMs: spentMs + workedMs,
      silentMs,
      taskTokens: tokensOf(spent) + tokensOf(usage),
      runCost: others + usage.cost_usd,
    };
    return limitsHit(limits, used, allowance);
  }

  #keep(usage: Usage, unpriced: string | null, hits: readonly LimitHit[], over: boolean): UsageEntry {
    const { ledger, run, step, limits } = this.#options;
    const fresh = hits.filter(({ key }) => !this.#before.some((known) => known.key === key));
    const warnings = Object.fromEntries(fresh.map(({ key, sentence }) => [key, sentence]));
    if (unpriced !== null && limits.costPerRun !== null) warnings['prices'] = unpricedSentence(unpriced);
    return ledger.record(run, step, { usage, warnings, over });
  }

  #refusedFor(): string | null {
    return this.#blocks ? refusalOf(this.#options.home, this.#options.step) : null;
  }

  #endedFor(): string | null {
    return unlessMissing(() => readFileSync(this.#record.file('limit'), 'utf8'));
  }
}

function sentences(hits: readonly LimitHit[]): string[] {
  return hits.map(({ sentence }) => sentence);
}
