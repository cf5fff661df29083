import { Context } from '@temporalio/activity';
import type { Sandbox } from './sandbox/sandbox.ts';

/**
 * How often an activity tells the server that it lives, in milliseconds; well under every heartbeat timeout. One that is
 * done sooner need not.
 */
const HEARTBEAT = 1000;

/** What an activity is told while it attends to a step. */
export interface StepControl {
  /** Aborted when this worker must let go of the step: the activity is over for the server, or the worker shuts down. */
  detached: AbortSignal;
  /** Aborted when the step itself is to be ended: somebody asked for it by name. */
  ended: AbortSignal;
}

/**
 * Runs an activity with heartbeats, and tells apart the two reasons for which it may be interrupted. A worker that shuts
 * down, or that the server has given up, only lets go: the step goes on, and whoever comes next attaches to it.
 */
export async function attended<T>(work: (control: StepControl) => Promise<T>): Promise<T> {
  const context = Context.current();
  const detached = new AbortController();
  const ended = new AbortController();
  const timer = setInterval(() => context.heartbeat(), HEARTBEAT);
  context.cancellationSignal.addEventListener('abort', () => {
    const asked = context.cancellationDetails?.cancelRequested === true;
    (asked ? ended : detached).abort(context.cancellationSignal.reason);
  });
  try {
    return await work({ detached: detached.signal, ended: ended.signal });
  } finally {
    clearInterval(timer);
  }
}

/**
 * Attends to one step of a sandbox: when it is to be ended, it is ended, again and again until `work` is over, since the
 * word may come before the step has started. A step that was to be ended before `work` began is not started at all.
 */
export async function endable<T>(
  control: StepControl,
  sandbox: Sandbox,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  control.ended.throwIfAborted();
  let timer: NodeJS.Timeout | undefined;
  const end = (): void => {
    const once = (): void => void sandbox.end(name).catch(() => undefined);
    once();
    timer = setInterval(once, HEARTBEAT);
  };
  control.ended.addEventListener('abort', end);
  try {
    return await work();
  } finally {
    control.ended.removeEventListener('abort', end);
    clearInterval(timer);
  }
}
