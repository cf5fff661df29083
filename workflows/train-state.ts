import type { TrainQueue } from '../core/train-queue.ts';

/** The state of a running train, and whether anything has come since its loop last looked. */
export class TrainState {
  queue: TrainQueue;
  isChanged = true;
  /** How often in a row it was tried to go on where the train stands, or where its work could not land. */
  tries = 0;

  constructor(queue: TrainQueue) {
    this.queue = queue;
  }

  /** Takes a step by one of the rules of `core/train-*.ts`, and wakes the loop. */
  readonly change = (step: (before: TrainQueue) => TrainQueue): void => {
    this.queue = step(this.queue);
    this.isChanged = true;
  };
}
