/** Lets one piece of work at a time through for each key, in the order of arrival, within this process. */
export class KeyedMutex {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Does `work` when everybody who came before with the same key is done. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const mine = before.then(work, work);
    const settled = mine.catch(() => undefined);
    this.#last.set(key, settled);
    try {
      return await mine;
    } finally {
      if (this.#last.get(key) === settled) this.#last.delete(key);
    }
  }
}
