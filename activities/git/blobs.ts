import type { BareRepository } from './bare-repository.ts';

/** What is known of a blob. */
export interface Blob {
  /** In bytes. */
  size: number;
  /** `null` where it is larger than asked for. */
  content: Buffer | null;
}

/** Reads blobs, two processes for any number of them. Objects that are not there, or no blobs, are missing in the result. */
export async function readBlobs(
  bare: BareRepository,
  objects: readonly string[],
  largest: number,
): Promise<Map<string, Blob>> {
  const blobs = new Map<string, Blob>();
  const asked = [...new Set(objects)];
  if (asked.length === 0) return blobs;
  const input = (ids: readonly string[]): string => ids.map((id) => `${id}\n`).join('');
  const sizes = await bare.git(['cat-file', '--batch-check'], { input: input(asked) });
  for (const line of sizes.stdout.toString().split('\n')) {
    const [, object, size] = /^([0-9a-f]+) blob (\d+)$/.exec(line) ?? [];
    if (object !== undefined) blobs.set(object, { size: Number(size), content: null });
  }
  const small = [...blobs].filter(([, { size }]) => size <= largest).map(([object]) => object);
  if (small.length === 0) return blobs;
  const { stdout } = await bare.git(['cat-file', '--batch'], { input: input(small) });
  for (let at = 0; at < stdout.length;) {
    const end = stdout.indexOf(10, at);
    const [object = '', , size] = stdout.toString('latin1', at, end).split(' ');
    at = end + 1 + Number(size) + 1;
    blobs.set(object, { size: Number(size), content: stdout.subarray(end + 1, at - 1) });
  }
  return blobs;
}
