import { randomUUID } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Replaces a private file as a whole: a reader finds the old content or the new one. The directory must be there. */
export function writeWhole(file: string, content: string): void {
  const draft = path.join(path.dirname(file), `.${randomUUID()}`);
  try {
    writeFileSync(draft, content, { mode: 0o600 });
    renameSync(draft, file);
  } finally {
    rmSync(draft, { force: true });
  }
}
