import { setTimeout as sleep } from 'node:timers/promises';

/** Looks again and again until there is something. A test's own timeout bounds it. */
export async function until<T>(look: () => T | Promise<T>): Promise<NonNullable<T> & Exclude<T, false>> {
  for (;;) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found as NonNullable<T> & Exclude<T, false>;
    await sleep(50);
  }
}
