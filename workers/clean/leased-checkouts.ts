import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';

const readySchema = z.object({ key: z.string() });

/** The pooled checkouts that checks of a run still hold: those whose key begins with `prefix`. */
export function leasedBy(repositoryCheckouts: string, prefix: string): string[] {
  return entries(repositoryCheckouts).flatMap((backend) => {
    const leased = path.join(backend, 'leased');
    return entries(leased).filter((slot) => keyOf(slot)?.startsWith(prefix) === true);
  });
}

function keyOf(slot: string): string | null {
  try {
    return readySchema.parse(JSON.parse(readFileSync(path.join(slot, 'ready'), 'utf8'))).key;
  } catch {
    // Not made to the end: whoever makes it owns it.
    return null;
  }
}

function entries(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory).map((name) => path.join(directory, name)) : [];
}
