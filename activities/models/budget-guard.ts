import { limitsHit } from '../../core/limits.ts';
import { meteredUsage } from '../../core/metered-usage.ts';
import { stepOwner, type StepOwner } from '../../core/ids.ts';
import { costOf } from '../../core/prices.ts';
import { NO_USAGE, tokensOf, type Usage } from '../../core/usage.ts';
import type { Home } from '../home.ts';
import { UsageLedger } from '../records/usage-ledger.ts';
import { budgetedSteps, budgetOf, type Budget } from './budget.ts';
import type { GatewayLedger } from './gateway-ledger.ts';

/** How long a run's cost is carried on in memory before it is reckoned from the files again, in milliseconds. */
const RECKON_MS = 1000;
/** Budgets and costs that are kept in memory. */
const MOST_KEPT = 1000;

/**
 * Says which requests of a step are beyond its budget. All that it knows comes from files of the home: budgets, what
 * gateways counted, what workers know of other turns; so the next gateway refuses what this one did.
 */
export class BudgetGuard {
  readonly #home: Home;
  readonly #ledger: GatewayLedger;
  readonly #turns: UsageLedger;
  readonly #budgets = new Map<string, Budget>();
  readonly #costs = new Map<string, { dollars: number; at: number }>();

  constructor(home: Home, ledger: GatewayLedger) {
    this.#home = home;
    this.#ledger = ledger;
    this.#turns = new UsageLedger(home);
  }

  /** Why a step may not ask any more, in one sentence; `null` if it may. */
  refusal(step: string): string | null {
    const owner = stepOwner(step);
    const budget = owner === null ? null : this.#budget(step);
    if (owner === null || budget === null) return null;
    const { tokensPerTask, costPerRun, allowance, spentTokens } = budget;
    const used = {
      taskMs: 0,
      silentMs: 0,
      taskTokens: spentTokens + (tokensPerTask === null ? 0 : tokensOf(this.#ledger.of(step).usage)),
      runCost: costPerRun === null ? 0 : this.#runCost(owner),
    };
    const limits = { taskTime: Infinity, silence: Infinity, tokensPerTask, costPerRun, mode: 'block' } as const;
    const hits = limitsHit(limits, used, allowance);
    return hits.length === 0 ? null : hits.map(({ sentence }) => sentence).join('; ');
  }

  /** Is told what a response of a step reported, so that the run's cost is right between two reckonings. */
  counted(step: string, used: Usage, model: string): void {
    const owner = stepOwner(step);
    const known = owner === null ? undefined : this.#costs.get(keyOf(owner));
    const budget = this.#budget(step);
    if (known === undefined || budget === null) return;
    known.dollars += costOf(used, model || budget.model, budget.prices) ?? 0;
  }

  #budget(step: string): Budget | null {
    const known = this.#budgets.get(step) ?? budgetOf(this.#home, step);
    if (known !== null) keep(this.#budgets, step, known);
    return known;
  }

  #runCost(run: StepOwner): number {
    const known = this.#costs.get(keyOf(run));
    if (known !== undefined && Date.now() - known.at < RECKON_MS) return known.dollars;
    const turns = this.#turns.costs(run);
    const steps = new Set([...turns.keys(), ...budgetedSteps(this.#home, run)]);
    let dollars = 0;
    for (const step of steps) {
      const turn = turns.get(step);
      dollars += turn?.over === true ? turn.cost : Math.max(turn?.cost ?? 0, this.#stepCost(step));
    }
    keep(this.#costs, keyOf(run), { dollars, at: Date.now() });
    return dollars;
  }

  #stepCost(step: string): number {
    const budget = this.#budget(step);
    if (budget === null) return 0;
    const { model, prices } = budget;
    return meteredUsage(NO_USAGE, this.#ledger.of(step), model ?? undefined, prices).usage.cost_usd;
  }
}

function keyOf({ project, run }: StepOwner): string {
  return `${project}..${run}`;
}

/** Puts an entry last, and forgets the first ones of too many. */
function keep<T>(entries: Map<string, T>, key: string, value: T): void {
  entries.delete(key);
  entries.set(key, value);
  const oldest = entries.keys().next();
  if (entries.size > MOST_KEPT && !oldest.done) entries.delete(oldest.value);
}
