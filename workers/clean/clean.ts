import { existsSync } from 'node:fs';
import path from 'node:path';
import { BareRepository } from '../../activities/git/bare-repository.ts';
import { removeAll } from '../../activities/git/remove-tree.ts';
import { signedDirectory } from '../../activities/git/signed-commit.ts';
import { connectEngine } from '../../activities/sandbox/engine.ts';
import type { RepositoryRef } from '../../core/run-ref.ts';
import { listRuns } from '../runs/run-list.ts';
import { hasRunningTasks } from '../runs/running-tasks.ts';
import type { Session } from '../session.ts';
import { janitorSandboxes } from '../janitor-sandboxes.ts';
import { cleanRun, type CleanedRun } from './clean-run.ts';
import { removePin } from './image-pin.ts';
import { removeRemnants } from './remnants.ts';
import { leasedBy } from './leased-checkouts.ts';

/** What {@link clean} may do. */
export interface CleanRequest {
  /** Only this run; by default all of the project that have ended. */
  run: string | undefined;
  /** Say what would be removed, and remove nothing. */
  dryRun: boolean;
  /** Also remove work trees with unmerged work, after keeping that work in refs. */
  force: boolean;
}

/** What was, or would be, removed. */
export interface CleanReport {
  dry_run: boolean;
  runs: CleanedRun[];
  /** Pooled checkouts. */
  checkouts: string[];
}

/**
 * Removes what runs that have ended left on this host: what still runs or lies in a sandbox, work trees, records,
 * checkouts, and refs of work that is merged. Never what belongs to an open run, and never the only copy of anything that
 * an agent wrote.
 *
 * @throws SignalboxError `not_found` for an unknown run, `refused` for one that is open
 */
export async function clean(session: Session, request: CleanRequest): Promise<CleanReport> {
  const { project, home, reader } = session;
  const chosen =
    request.run === undefined ? (await listRuns(session.client, project.id)).map((run) => run.run_id) : [request.run];
  const report: CleanReport = { dry_run: request.dryRun, runs: [], checkouts: [] };
  const repositories = new Map<string, RepositoryRef>();
  const busy = new Set<string>();
  const sandboxes = janitorSandboxes(home, session.env, session.redactor);
  for (const run of chosen) {
    const { input } = await reader.fold(project.id, run);
    const { repository } = input.run;
    repositories.set(repository.id, repository);
    const reason = await whyNotEnded(session, run);
    if (reason !== null) {
      busy.add(repository.id);
      report.runs.push({ run_id: run, skipped: reason, removed: [], refs_removed: [], kept: [] });
      continue;
    }
    const gitDir = path.join(home.repositories, `${repository.id}.git`);
    const bare = existsSync(gitDir) ? await BareRepository.open(gitDir) : null;
    const description = await reader.read(project.id, run);
    const { dryRun, force } = request;
    // First, so that all of its steps have ended, and their records can go.
    const remnants = await removeRemnants(await sandboxes(), input.run, dryRun);
    const cleaned = await cleanRun({ home, bare, run: input.run, description, dryRun, force });
    cleaned.removed.unshift(...remnants.removed);
    cleaned.kept.unshift(...remnants.refused);
    cleaned.removed.push(...(await removePin(connectEngine(session.env), home, input.run, dryRun)));
    report.runs.push(cleaned);
    const directory = path.join(home.checkouts, repository.id);
    for (const slot of leasedBy(directory, `${project.id}..${run}..`)) remove(slot, request.dryRun, report.checkouts);
  }
  for (const { id } of repositories.values()) {
    const used = busy.has(id) || (await hasOpenRuns(session, id));
    if (used || request.run !== undefined) continue;
    const directory = path.join(home.checkouts, id);
    if (existsSync(directory)) remove(directory, request.dryRun, report.checkouts);
    if (!request.dryRun) removeAll(signedDirectory(path.join(home.repositories, `${id}.git`)));
  }
  return report;
}

function remove(directory: string, dryRun: boolean, removed: string[]): void {
  if (!dryRun) removeAll(directory);
  removed.push(directory);
}

/** Why a run, or a task that a closed run left behind, still needs its things; `null` if nothing does. */
async function whyNotEnded(session: Session, run: string): Promise<string | null> {
  if (await session.reader.isOpen(session.project.id, run)) return 'it is still open';
  const left = await hasRunningTasks(session.client, { project: session.project.id, run });
  return left ? 'some of its tasks have not ended' : null;
}

/** Runs of other projects may work on the same repository. */
async function hasOpenRuns(session: Session, repository: string): Promise<boolean> {
  for await (const { memo } of session.client.workflow.list({
    query: "WorkflowType = 'run' AND ExecutionStatus = 'Running'",
  })) {
    if (memo?.['repository'] === repository) return true;
  }
  return false;
}
