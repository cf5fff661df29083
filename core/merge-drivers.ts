import * as z from 'zod';
import { duration, globs, text } from './fields.ts';
import { matchesGlob, type GlobOptions } from './globs.ts';

const mergeDriver = z
  .strictObject({
    paths: globs().min(1, 'must name at least one path').describe('Globs of the files that it is for.'),
    driver: z
      .enum(['union', 'text', 'binary'])
      .optional()
      .describe(
        "One of git's own: `union` keeps the lines of both sides, `text` merges by lines, and `binary` not at all.",
      ),
    command: text()
      .optional()
      .describe('Instead, a command line, run as a step without network wherever both sides changed such a file.'),
    timeout: duration().prefault('5m').describe('How long the command may take.'),
  })
  .superRefine(({ driver, command }, context) => {
    if ((driver === undefined) !== (command === undefined)) return;
    context.addIssue({ code: 'custom', message: 'must have either a driver or a command' });
  });

/** The format of `merge.drivers`. */
export const mergeDriversSchema = z.array(mergeDriver);

/** How some files are merged where two tasks changed them. */
export type MergeDriver = z.output<typeof mergeDriver>;

/** A {@link MergeDriver} that is a command of the project. */
export type CommandDriver = MergeDriver & { command: string };

/** The driver of a file, or `null`. The last one that names it counts, as in git. */
function driverFor(drivers: readonly MergeDriver[], path: string, options: GlobOptions): MergeDriver | null {
  return drivers.findLast(({ paths }) => paths.some((glob) => matchesGlob(glob, path, options))) ?? null;
}

/** The command for a file that both sides changed, or `null`. */
export function commandFor(
  drivers: readonly MergeDriver[],
  path: string,
  options: GlobOptions = {},
): CommandDriver | null {
  const driver = driverFor(drivers, path, options);
  return driver?.command === undefined ? null : { ...driver, command: driver.command };
}

/** May several tasks change a file at once, since both changes go in? So it is with `union` and commands. */
export function isShared(drivers: readonly MergeDriver[], path: string, options: GlobOptions = {}): boolean {
  const driver = driverFor(drivers, path, options);
  return driver !== null && (driver.driver === 'union' || driver.command !== undefined);
}
