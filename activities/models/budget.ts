import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { z } from 'zod';

import { stepOwner } from '../../core/ids.ts';
import { makePrivateDirectory, type Home } from '../home.ts';
import { unlessMissing } from '../system-errors.ts';
import { writeWhole } from '../whole-file.ts';
import { gatewayLayout } from './gateway-layout.ts';

const amount = z.number().nonnegative();
const budget = z.object({
  /** Tokens that the task may use, `null`: no bound. */
  tokensPerTask: amount.nullable(),
  /** US dollars that the run may cost, `null`: no bound. */
  costPerRun: amount.nullable(),
  /** How often both count. */
  allowance: z.number().positive(),
  /** Tokens that the task used before the step. */
  spentTokens: amount,
  /** What the agent was told to use, if it was told. */
  model: z.string().nullable(),
  /** The project's own prices. */
  prices: z.record(z.string(), z.object({ input: amount, cached_input: amount.optional(), output: amount })),
});

/** What bounds a step's requests. Written before the step starts and not changed after. */
export type Budget = z.infer<typeof budget>;

/** The run of a step. */
type Run = Readonly<{ project: string; run: string }>;

/**
 * Where the gateway finds a run's budgets, a file for each step. The worker writes them, so that they hold whether or not
 * it lives on, and whichever gateway is asked.
 */
export function budgetDirectory(home: Home, { project, run }: Run): string {
  return path.join(gatewayLayout(home).budgets, project, run);
}

/** Gives a step its budget. To be called before the step starts; again, it changes nothing. */
export function grantBudget(home: Home, step: string, granted: Budget): void {
  const owner = stepOwner(step);
  if (owner === null) return;
  const directory = makePrivateDirectory(budgetDirectory(home, owner));
  writeWhole(path.join(directory, `${step}.json`), JSON.stringify(granted));
}

/** The budget of a step; `null`: it has none, and may ask without bound. */
export function budgetOf(home: Home, step: string): Budget | null {
  const owner = stepOwner(step);
  if (owner === null) return null;
  const file = path.join(budgetDirectory(home, owner), `${step}.json`);
  const text = unlessMissing(() => readFileSync(file, 'utf8'));
  return text === null ? null : budget.parse(JSON.parse(text));
}

/** The steps of a run that were given budgets. */
export function budgetedSteps(home: Home, run: Run): string[] {
  const names = unlessMissing(() => readdirSync(budgetDirectory(home, run))) ?? [];
  return names.filter((name) => /^[^.].*\.json$/.test(name)).map((name) => name.slice(0, -'.json'.length));
}
