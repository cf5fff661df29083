import { ApplicationFailure, CancelledFailure, CompleteAsyncError } from '@temporalio/activity';
import { headAndTail, SignalboxError } from '../core/failures.ts';
import type { Redactor } from './redaction/redactor.ts';
import { diskFailure } from './system-errors.ts';

/** The longest failure message that goes into a history, in characters. */
const LONGEST = 4000;

/**
 * Makes activities of functions: a failure of ours becomes an application failure whose type is our code, retried only
 * if the same call may succeed later. Anything else is a defect; Temporal retries it within the activity's bounds. What
 * failures say goes into the history without secrets.
 */
export function asActivities<T extends object>(functions: T, redactor: Redactor): T {
  const entries = Object.entries(functions as Record<string, Activity>);
  return Object.fromEntries(entries.map(([name, activity]) => [name, guarded(activity, redactor)])) as T;
}

type Activity = (...args: unknown[]) => unknown;

function guarded(activity: Activity, redactor: Redactor): Activity {
  return async (...args) => {
    try {
      return await activity(...args);
    } catch (error) {
      throw cleaned(mapped(error), redactor);
    }
  };
}

function mapped(error: unknown): unknown {
  if (error instanceof CancelledFailure || error instanceof CompleteAsyncError || error instanceof ApplicationFailure)
    return error;
  const known = error instanceof SignalboxError ? error : diskFailure(error);
  if (known === null) return error;
  const message = headAndTail(known.hint === undefined ? known.message : `${known.message}. ${known.hint}`, LONGEST);
  return ApplicationFailure.create({ type: known.code, message, nonRetryable: !known.retryable });
}

/** The same error, with its causes, without secrets in what it says and in its stack. */
function cleaned(error: unknown, redactor: Redactor): unknown {
  for (let told: unknown = error; told instanceof Error; told = told.cause) {
    if (told.stack !== undefined) told.stack = redactor.text(told.stack);
    const message = redactor.text(told.message);
    if (message !== told.message) told.message = message;
  }
  return error;
}
