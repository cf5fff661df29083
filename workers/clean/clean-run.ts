import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { saveLeftOut } from '../../activities/attempt/keep-work.ts';
import { DeliveredOutputs } from '../../activities/bootstrap/delivered-outputs.ts';
import type { BareRepository } from '../../activities/git/bare-repository.ts';
import { removeAll } from '../../activities/git/remove-tree.ts';
import { ourSignature } from '../../activities/git/objects.ts';
import { snapshot } from '../../activities/git/snapshot.ts';
import { workspaceAt } from '../../activities/git/workspace.ts';
import type { Home } from '../../activities/home.ts';
import { budgetDirectory } from '../../activities/models/budget.ts';
import { gatewayLayout } from '../../activities/models/gateway-layout.ts';
import { UsageLedger } from '../../activities/records/usage-ledger.ts';
import type { RunDescription } from '../../core/description.ts';
import { attemptRef } from '../../core/ids.ts';
import { parseMergeMessage, type MergeNote } from '../../core/merge-message.ts';
import type { RunRef } from '../../core/run-ref.ts';
import { stepLogs } from '../runs/step-logs.ts';
import { removeIfEmpty } from './empty-directory.ts';

/** What was, or would be, removed of one run. */
export interface CleanedRun {
  run_id: string;
  /** Why nothing was looked at; `null` if it was. */
  skipped: string | null;
  /** Directories, and what was left of steps. */
  removed: string[];
  /** Refs in Signalbox's own repository whose work is merged. */
  refs_removed: string[];
  /** What stays, and why. */
  kept: string[];
}

interface Request {
  home: Home;
  /** Signalbox's own repository of the run, or `null` if it is gone. */
  bare: BareRepository | null;
  run: RunRef;
  description: RunDescription;
  dryRun: boolean;
  force: boolean;
}

const recordSchema = z.object({ base: z.string() });

/** Cleans up after one run that has ended. Work that is not merged stays in its ref, whatever happens. */
export async function cleanRun(request: Request): Promise<CleanedRun> {
  const { home, run, description } = request;
  const cleaned: CleanedRun = { run_id: run.run, skipped: null, removed: [], refs_removed: [], kept: [] };
  for (const task of Object.keys(description.tasks)) {
    await cleanWorkspaces(request, task, cleaned);
    cleanSteps(request, task, cleaned);
    await cleanRefs(request, task, cleaned);
  }
  cleanUsage(request, cleaned);
  if (!request.dryRun) {
    for (const names of [[run.project, run.run], [run.project], []]) {
      removeIfEmpty(path.join(home.workspaces, run.repository.id, ...names));
    }
  }
  return cleaned;
}

async function cleanWorkspaces(request: Request, task: string, cleaned: CleanedRun): Promise<void> {
  const { home, run, bare, dryRun, force } = request;
  const directory = path.join(home.workspaces, run.repository.id, run.project, run.run, task);
  if (!existsSync(directory)) return;
  let empty = true;
  for (const attempt of readdirSync(directory).filter((name) => /^\d+$/.test(name))) {
    const workspace = path.join(directory, attempt);
    const { tree } = workspaceAt(workspace);
    if (existsSync(tree)) {
      const ref = attemptRef(run.run, task, Number(attempt));
      if (!force || bare === null) {
        empty = false;
        cleaned.kept.push(
          `${tree}: may hold work that is in no ref yet; --force keeps it in ${ref} and removes the tree`,
        );
        continue;
      }
      if (!dryRun) await keep(bare, directory, attempt, ref, task);
      cleaned.kept.push(`${ref}: keeps the work of ${tree}`);
    }
    if (!dryRun) removeAll(workspace);
    cleaned.removed.push(workspace);
  }
  for (const name of readdirSync(directory).filter((name) => name.endsWith('.left-out'))) {
    empty = false;
    cleaned.kept.push(`${path.join(directory, name)}: files that no commit can hold; remove it yourself`);
  }
  if (!empty) return;
  if (!dryRun) removeAll(directory);
  cleaned.removed.push(directory);
}

/** Keeps the state of a work tree that nobody works in any more. */
async function keep(
  bare: BareRepository,
  directory: string,
  attempt: string,
  ref: string,
  task: string,
): Promise<void> {
  const { base } = recordSchema.parse(JSON.parse(readFileSync(path.join(directory, `${attempt}.json`), 'utf8')));
  const author = ourSignature();
  const message = `${task}, attempt ${attempt}: left when it was cleaned up`;
  const workspace = path.join(directory, attempt);
  const { leftOut } = await snapshot({
    bare,
    workspaceDirectory: workspace,
    parent: base,
    ref,
    message,
    author,
    passOver: new DeliveredOutputs(workspace).paths,
  });
  writeFileSync(`${workspace}.left-out.json`, JSON.stringify(leftOut), { mode: 0o600 });
  saveLeftOut(workspace);
}

function cleanSteps({ home, run, dryRun }: Request, task: string, cleaned: CleanedRun): void {
  for (const step of stepLogs(home, { project: run.project, run: run.run, task })) {
    // In a dry run nothing was ended that would be.
    if (!step.ended && !dryRun) {
      cleaned.kept.push(`${step.directory}: the step has not ended`);
      continue;
    }
    if (!dryRun) removeAll(step.directory);
    cleaned.removed.push(step.directory);
  }
}

/** What was counted for the run's turns, here and in the gateway. Totals are in the run itself. */
function cleanUsage({ home, run, dryRun }: Request, cleaned: CleanedRun): void {
  const gateway = gatewayLayout(home).usage;
  const steps = existsSync(gateway) ? readdirSync(gateway) : [];
  const own = steps.filter((name) => name.startsWith(`${run.project}..${run.run}..`));
  const counted = own.map((name) => path.join(gateway, name));
  for (const directory of [UsageLedger.directory(home, run), budgetDirectory(home, run), ...counted]) {
    if (!existsSync(directory)) continue;
    if (!dryRun) removeAll(directory);
    cleaned.removed.push(directory);
  }
  if (dryRun) return;
  removeIfEmpty(path.join(home.usage, run.project));
  removeIfEmpty(path.dirname(budgetDirectory(home, run)));
}

async function cleanRefs(
  { bare, run, description, dryRun }: Request,
  task: string,
  cleaned: CleanedRun,
): Promise<void> {
  const tip = bare?.tip(run.repository.branch) ?? null;
  if (bare === null || tip === null) return;
  const prefix = attemptRef(run.run, task, 0).replace(/0$/, '');
  const merge = await mergeNote(bare, description.tasks[task]?.merged_commit ?? null);
  for (const [ref, commit] of bare.listRefs(prefix)) {
    if (await bare.isAncestor(commit, tip)) {
      if (!dryRun) await bare.git(['update-ref', '-d', ref, commit]);
      cleaned.refs_removed.push(ref);
    } else if (!cleaned.kept.some((line) => line.startsWith(`${ref}:`))) {
      const squashed = merge !== null && ref === attemptRef(merge.run, merge.task, merge.attempt);
      cleaned.kept.push(`${ref}: ${squashed ? 'work that was squashed' : 'unmerged work'} (${commit.slice(0, 10)})`);
    }
  }
}

async function mergeNote(bare: BareRepository, commit: string | null): Promise<MergeNote | null> {
  if (commit === null) return null;
  // A branch that was rewritten since may be without it.
  const info = await bare.commitInfo(commit).catch(() => null);
  return info === null ? null : parseMergeMessage(info.message);
}
