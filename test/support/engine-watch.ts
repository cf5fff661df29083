import { createInterface } from 'node:readline';
import Docker from 'dockerode';
import * as z from 'zod';
import { unlessStatus } from '../../activities/sandbox/engine.ts';
import { labelFilter } from '../../activities/sandbox/labels.ts';

/** Asks the engine about each container of a home in the moment when it is made. */
export class EngineWatch {
  readonly #looks: Promise<Docker.ContainerInspectInfo | null>[] = [];
  readonly #over = new AbortController();

  static async start(home: string): Promise<EngineWatch> {
    const watch = new EngineWatch();
    const engine = new Docker();
    const filters = { type: ['container' as const], event: ['create'], ...labelFilter({ 'signalbox.home': home }) };
    const events = await engine.getEvents({ filters, abortSignal: watch.#over.signal });
    // It ends by being given up.
    events.on('error', () => undefined);
    const lines = createInterface({ input: events });
    lines.on('line', (line) => {
      const { id } = z.object({ id: z.string() }).parse(JSON.parse(line));
      watch.#looks.push(unlessStatus(engine.getContainer(id).inspect(), 404));
    });
    lines.on('error', () => undefined);
    return watch;
  }

  /** What it said of all that were made so far, and were not gone at once. */
  async inspected(): Promise<Docker.ContainerInspectInfo[]> {
    return (await Promise.all(this.#looks)).filter((found) => found !== null);
  }

  stop(): void {
    this.#over.abort();
  }
}
