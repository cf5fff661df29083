import type { RunRef } from '../core/run-ref.ts';
import { runWorkflowId, taskWorkflowId } from '../core/ids.ts';
import { haltNews } from '../core/train-halt.ts';
import { membersOf, runsOf } from '../core/train-queue.ts';
import type { LandingNews } from '../core/train.ts';
import * as messages from './messages.ts';
import { signalIfOpen } from './services.ts';
import type { TrainState } from './train-state.ts';

/** Tells tasks and runs what became of theirs, while the train goes on. */
export class TrainNews {
  readonly #state: TrainState;
  #telling = 0;
  /** What runs were last told of a halt, as JSON. */
  readonly #ofHalt = new Map<string, string>();

  constructor(state: TrainState) {
    this.#state = state;
  }

  /** Is everybody told? The train stays until then. */
  isIdle(): boolean {
    return this.#telling === 0 && this.#state.queue.outbox.length === 0;
  }

  /** Sends the answers that tasks wait for, and tells the runs that have members here that the train stands, or goes on. */
  send(): void {
    const { outbox } = this.#state.queue;
    this.#state.queue = { ...this.#state.queue, outbox: [] };
    for (const { member, result } of outbox) {
      const { run, task } = member;
      this.#tell(signalIfOpen(taskWorkflowId(run.project, run.run, task), messages.trainResultSignal, result));
    }
    const { queue } = this.#state;
    const riders = runsOf(membersOf(queue)).map(({ project, run }) => runWorkflowId(project, run));
    for (const id of new Set([...riders, ...this.#ofHalt.keys()])) {
      const news = haltNews(queue, id);
      const text = JSON.stringify(news);
      if (text === (this.#ofHalt.get(id) ?? 'null')) continue;
      if (news === null) this.#ofHalt.delete(id);
      else this.#ofHalt.set(id, text);
      this.#tell(signalIfOpen(id, messages.haltedSignal, news));
    }
  }

  /** Tells runs whether the user's branch follows. */
  ofLanding(news: LandingNews, runs: readonly RunRef[]): void {
    for (const { project, run } of runs)
      this.#tell(signalIfOpen(runWorkflowId(project, run), messages.landingSignal, news));
  }

  #tell(said: Promise<unknown>): void {
    this.#telling += 1;
    void said.finally(() => (this.#telling -= 1));
  }
}
