import { existsSync, lstatSync, mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import type { AttemptRef } from '../../core/activities.ts';
import { attemptRef } from '../../core/ids.ts';
import { DeliveredOutputs } from '../bootstrap/delivered-outputs.ts';
import type { BareRepository } from '../git/bare-repository.ts';
import { changedPaths } from '../git/diff.ts';
import { snapshot } from '../git/snapshot.ts';
import { workspaceAt } from '../git/workspace.ts';
import type { ProjectHost } from '../project-host.ts';

const leftOutSchema = z.array(z.object({ path: z.string(), reason: z.string() }));

/** How many left out files are named in warnings. */
const MOST_NAMED = 5;

/**
 * Commits the work tree of an attempt to its ref.
 *
 * @returns the commit, the base itself where nothing changed, and what it could not hold, one sentence each
 */
export async function keepWork(
  host: ProjectHost,
  bare: BareRepository,
  attempt: AttemptRef,
  base: string,
  what: string,
): Promise<{ commit: string; changed: number; warnings: string[] }> {
  const ref = attemptRef(attempt.run.run, attempt.task, attempt.attempt);
  const directory = host.attemptDirectory(attempt);
  if (!existsSync(workspaceAt(directory).tree)) {
    const commit = bare.ref(ref) ?? base;
    const changed = commit === base ? 0 : (await changedPaths(bare, base, commit)).length;
    return { commit, changed, warnings: [] };
  }
  const kept = await snapshot({
    bare,
    workspaceDirectory: directory,
    parent: base,
    ref,
    passOver: new DeliveredOutputs(directory).paths,
    message: `${attempt.task}, attempt ${attempt.attempt}: ${what}`,
    author: host.signature(),
  });
  // Beside the attempt's directory, which is removed when the attempt ends.
  writeFileSync(`${directory}.left-out.json`, JSON.stringify(kept.leftOut), { mode: 0o600 });
  const told = kept.leftOut.filter(({ reason }) => !NOT_WORK.has(reason)).slice(0, MOST_NAMED);
  const warnings = told.map(({ path: name, reason }) => `${name} was left out of the work: it ${reason}`);
  return { commit: kept.commit, changed: kept.changes.length, warnings };
}

/** Why something is left out that is no part of the work. */
const NOT_WORK: ReadonlySet<string> = new Set(['is ignored', 'is, or looks like, a git directory']);

/**
 * Saves the files of an attempt that a commit could not hold (too large, names that git refuses) before its work tree
 * goes: they are moved to `<attempt>.left-out/`. What the repository's own ignore rules exclude is not the agent's work.
 */
export function saveLeftOut(directory: string): void {
  const list = `${directory}.left-out.json`;
  const { tree } = workspaceAt(directory);
  if (!existsSync(list) || !existsSync(tree)) return;
  const root = realpathSync(tree);
  for (const { path: name, reason } of leftOutSchema.parse(JSON.parse(readFileSync(list, 'utf8')))) {
    const source = path.join(root, name);
    if (reason === 'is ignored' || lstatSync(source, { throwIfNoEntry: false })?.isFile() !== true) continue;
    // An agent may have put a link in the way to have something of the host's moved.
    if (path.join(realpathSync(path.dirname(source)), path.basename(source)) !== source) continue;
    const target = path.join(`${directory}.left-out`, path.relative(root, source));
    mkdirSync(path.dirname(target), { recursive: true, mode: 0o700 });
    renameSync(source, target);
  }
}
