import { addUsage, NO_USAGE, type Usage } from '../../core/usage.ts';

/** What one step asked of models. */
export interface StepUse {
  /** Requests that came in with the step's token, those that failed included. */
  requests: number;
  /** Tokens that the upstream reported for them. */
  usage: Usage;
}

const MOST_STEPS = 10_000;

/** Counts requests and tokens for each step; forgets the steps that were quiet longest when there are too many. */
export class GatewayLedger {
  readonly #steps = new Map<string, StepUse>();
  #total: StepUse = { requests: 0, usage: { ...NO_USAGE } };

  /** Counts a request, when it comes in. */
  request(step: string): void {
    this.#add(step, { requests: 1, usage: NO_USAGE });
  }

  /** Adds what a response reported. */
  response(step: string, usage: Usage): void {
    this.#add(step, { requests: 0, usage });
  }

  /** What a step used; zero for one that never asked. */
  of(step: string): StepUse {
    return this.#steps.get(step) ?? { requests: 0, usage: { ...NO_USAGE } };
  }

  /** What all steps used since the gateway started. */
  get total(): StepUse {
    return this.#total;
  }

  #add(step: string, use: StepUse): void {
    const sum = (before: StepUse): StepUse => ({
      requests: before.requests + use.requests,
      usage: addUsage(before.usage, use.usage),
    });
    const next = sum(this.of(step));
    // Deleted first, so that the map's order is that of the last use.
    this.#steps.delete(step);
    this.#steps.set(step, next);
    this.#total = sum(this.#total);
    if (this.#steps.size > MOST_STEPS) {
      const oldest = this.#steps.keys().next();
      if (!oldest.done) this.#steps.delete(oldest.value);
    }
  }
}
