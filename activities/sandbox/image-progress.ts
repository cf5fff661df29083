import { StringDecoder } from 'node:string_decoder';
import { humanSize } from '../../core/size.ts';

/** Who hears of the making of an image, which may take minutes. */
export interface ImageProgress {
  /** Called with what is begun. */
  onProgress?: (line: string) => void;
  /** Called with each line that the tools print meanwhile. `passing`: the next such line takes its place. */
  onDetail?: (line: string, passing: boolean) => void;
}

/** An event of a build or a pull, as the engine streams it. */
interface StreamEvent {
  stream?: string;
  status?: string;
  id?: string;
  progressDetail?: { current?: number; total?: number };
  error?: string;
}

/** How many of the last lines a failure shows. */
const SHOWN = 20;

/** A build or a pull that the engine says failed, with the last lines of what it printed. */
export class EngineStreamError extends Error {
  readonly lines: readonly string[];

  constructor(message: string, lines: readonly string[]) {
    super(message);
    this.name = 'EngineStreamError';
    this.lines = lines;
  }
}

/**
 * Waits for the end of a build or a pull, and hands on what it prints as it comes.
 *
 * @throws EngineStreamError if the engine reports a failure in between
 */
export async function followProgress(
  stream: NodeJS.ReadableStream,
  onDetail: ImageProgress['onDetail'] = () => undefined,
): Promise<void> {
  const lines: string[] = [];
  const layers = new Layers();
  for await (const event of eventsOf(stream)) {
    if (event.error !== undefined) throw new EngineStreamError(event.error, lines);
    if (event.id !== undefined && event.stream === undefined) {
      if (layers.take(event)) onDetail(layers.text(), true);
      continue;
    }
    for (const line of (event.stream ?? event.status ?? '').split('\n')) {
      if (line.trim() === '') continue;
      lines.push(line.trimEnd());
      if (lines.length > SHOWN) lines.shift();
      onDetail(line.trimEnd(), false);
    }
  }
}

/** The engine's own client would pass over the events that tell of a failure. */
async function* eventsOf(stream: NodeJS.ReadableStream): AsyncGenerator<StreamEvent> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of stream) {
    const lines = `${rest}${decoder.write(Buffer.from(chunk))}`.split('\n');
    rest = lines.pop() ?? '';
    // What an engine streams is looked at field by field.
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line) as StreamEvent;
  }
}

/** How far the layers of an image are that is pulled. */
class Layers {
  readonly #layers = new Map<string, { current: number; total: number; done: boolean }>();

  /** Takes an event in. @returns whether it is about a layer */
  take({ id = '', status = '', progressDetail }: StreamEvent): boolean {
    if (!/^[0-9a-f]{12}$/.test(id)) return false;
    const before = this.#layers.get(id) ?? { current: 0, total: 0, done: false };
    const downloads = status === 'Downloading';
    this.#layers.set(id, {
      current: downloads ? (progressDetail?.current ?? before.current) : before.current,
      total: downloads ? (progressDetail?.total ?? before.total) : before.total,
      done: before.done || status === 'Pull complete' || status === 'Already exists',
    });
    return true;
  }

  text(): string {
    const layers = [...this.#layers.values()];
    const sum = (key: 'current' | 'total'): number => layers.reduce((all, layer) => all + layer[key], 0);
    const done = layers.filter((layer) => layer.done).length;
    const bytes = sum('total') === 0 ? '' : `, ${humanSize(sum('current'))} of ${humanSize(sum('total'))}`;
    return `${done} of ${layers.length} layers${bytes}`;
  }
}

/** The first line of an error. */
export function oneLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trim().split('\n')[0] ?? '';
}
