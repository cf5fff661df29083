import { SignalboxError } from '../../core/failures.ts';
import { untilRefilled, waitAsked, type AnswerHeaders } from '../../core/rate-limits.ts';

/** The longest that a request is kept waiting, in milliseconds: clients must not give up before. */
const PATIENCE = 30_000;
/** Requests that may wait at once, in all and of one task. */
const MOST_WAITING = 1000;
const MOST_OF_TASK = 100;
/** How many requests at once count as no bound at all, after the upstream was too busy. */
const WIDE = 64;
/** The wait after an answer that asks for one without saying how long, in milliseconds; doubled each time. */
const FIRST_WAIT = 500;

/** Answers that ask everybody to wait: too many requests, unavailable, overloaded. */
const BUSY = [429, 503, 529];

/** A request's stay at the upstream. */
export interface Pass {
  /** What the upstream answered. To be called once, before anything of the answer is passed on. */
  heard(status: number, headers: AnswerHeaders): void;
  /** The request is over. */
  leave(): void;
}

interface Waiter {
  resolve: (pass: Pass) => void;
  reject: (error: Error) => void;
}

/** Why a request may not wait: it would take too long. */
export class GateBusy extends SignalboxError {
  /** Seconds after which it may be tried again. */
  readonly retryAfter: number;

  constructor(milliseconds: number) {
    super('environment', 'the model gateway waits for the rate limit of the model server', { retryable: true });
    this.retryAfter = Math.max(1, Math.ceil(milliseconds / 1000));
  }
}

/**
 * Lets requests through to one upstream. As long as that keeps up, at once. When it asks to wait, nobody gets through until
 * then, and afterwards few at once, one more with each good answer; who waits is served in turns over the tasks, so that
 * one with many requests does not keep the others out.
 */
export class FairGate {
  readonly #waiting = new Map<string, Waiter[]>();
  #inside = 0;
  #window = Infinity;
  #closedUntil = 0;
  #strikes = 0;
  #timer: NodeJS.Timeout | null = null;

  /** How many requests wait. */
  get waiting(): number {
    return [...this.#waiting.values()].reduce((sum, queue) => sum + queue.length, 0);
  }

  /**
   * Waits for a task's turn.
   *
   * @throws GateBusy when that would take too long; the signal's reason
   */
  async enter(task: string, signal: AbortSignal): Promise<Pass> {
    signal.throwIfAborted();
    if (this.#waiting.size === 0 && this.#isOpen()) return this.#admit();
    const closed = this.#closedUntil - Date.now();
    const full = this.waiting >= MOST_WAITING || (this.#waiting.get(task)?.length ?? 0) >= MOST_OF_TASK;
    if (closed > PATIENCE || full) throw new GateBusy(Math.max(closed, FIRST_WAIT));
    let give = (): void => undefined;
    const patience = setTimeout(() => give(), PATIENCE);
    try {
      return await new Promise<Pass>((resolve, reject) => {
        const waiter = { resolve, reject };
        const queue = this.#waiting.get(task) ?? [];
        queue.push(waiter);
        this.#waiting.set(task, queue);
        give = () => {
          if (!this.#drop(task, waiter)) return;
          const reason: unknown = signal.aborted ? signal.reason : new GateBusy(this.#closedUntil - Date.now());
          reject(reason instanceof Error ? reason : new SignalboxError('refused', 'the request was given up'));
        };
        signal.addEventListener('abort', give, { once: true });
        this.#pump();
      });
    } finally {
      clearTimeout(patience);
      signal.removeEventListener('abort', give);
    }
  }

  #isOpen(): boolean {
    return Date.now() >= this.#closedUntil && this.#inside < this.#window;
  }

  #admit(): Pass {
    this.#inside += 1;
    let left = false;
    return {
      heard: (status, headers) => this.#heard(status, headers),
      leave: () => {
        if (left) return;
        left = true;
        this.#inside -= 1;
        this.#pump();
      },
    };
  }

  #heard(status: number, headers: AnswerHeaders): void {
    const now = Date.now();
    if (BUSY.includes(status)) {
      this.#strikes += 1;
      const wait = waitAsked(headers, now) ?? Math.min(PATIENCE, FIRST_WAIT * 2 ** (this.#strikes - 1));
      this.#closedUntil = Math.max(this.#closedUntil, now + wait);
      this.#window = Math.max(1, Math.floor(Math.min(this.#window, this.#inside) / 2));
    } else if (status < 400) {
      this.#strikes = 0;
      // A request more would be refused: it may as well wait here, where its turn is kept.
      this.#closedUntil = Math.max(this.#closedUntil, now + Math.min(PATIENCE, untilRefilled(headers, now)));
      this.#window = this.#window >= WIDE ? Infinity : this.#window + 1;
      this.#pump();
    }
  }

  /** Lets in who may, a task after the other. */
  #pump(): void {
    while (this.#waiting.size > 0 && this.#isOpen()) {
      const next = this.#waiting.entries().next();
      if (next.done) return;
      const [task, queue] = next.value;
      // Behind all others, if more of it waits.
      this.#waiting.delete(task);
      const [first, ...rest] = queue;
      if (rest.length > 0) this.#waiting.set(task, rest);
      first?.resolve(this.#admit());
    }
    const closed = this.#closedUntil - Date.now();
    if (this.#waiting.size === 0 || closed <= 0 || this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#pump();
    }, closed + 1);
    this.#timer.unref();
  }

  #drop(task: string, waiter: Waiter): boolean {
    const queue = this.#waiting.get(task) ?? [];
    const rest = queue.filter((other) => other !== waiter);
    if (rest.length === 0) this.#waiting.delete(task);
    else this.#waiting.set(task, rest);
    return rest.length < queue.length;
  }
}
