import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { checkFailureSchema } from '../checks/check-failure.ts';
import { unlessMissing } from '../system-errors.ts';

const outputSchema = z.object({
  /** Relative to the work tree. */
  path: z.string(),
  /** Where it lies in the snapshot's directory. */
  place: z.string(),
  kind: z.enum(['directory', 'file']),
  bytes: z.number(),
  /** How many files and directories it holds. */
  entries: z.number(),
});

/** One output of a bootstrap: a directory such as `node_modules`, or a file or symbolic link. */
export type SnapshotOutput = z.infer<typeof outputSchema>;

/** `snapshot.json` of a complete dependency snapshot. */
export const snapshotSchema = z.object({
  version: z.literal(1),
  key: z.string(),
  project: z.string(),
  repository: z.string(),
  /** The commit that it was made from; others with the same key have the same inputs. */
  commit: z.string(),
  commands: z.array(z.string()),
  outputs: z.array(outputSchema),
  bytes: z.number(),
  builtAt: z.string(),
  /** How long it took to make, milliseconds. */
  buildMs: z.number(),
});

/** What is known of a complete dependency snapshot. */
export type SnapshotRecord = z.infer<typeof snapshotSchema>;

/** `build.json` of one that is being made. */
export const buildSchema = z.object({
  /** Makes the names of its steps; another build of the same key has another. */
  id: z.string(),
  commit: z.string(),
  startedAt: z.string(),
});

/** `<key>.failed.json`: that it could not be made. */
export const failedSchema = z.object({
  commit: z.string(),
  /** How often in a row. */
  times: z.number(),
  at: z.string(),
  failure: checkFailureSchema,
});

/** Reads a record, or `null` where there is none. */
export function readRecord<T>(file: string, schema: z.ZodType<T>): T | null {
  const text = unlessMissing(() => readFileSync(file, 'utf8'));
  return text === null ? null : schema.parse(JSON.parse(text));
}

/** Writes a record, whole or not at all. */
export function writeRecord(file: string, record: object): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(record)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
