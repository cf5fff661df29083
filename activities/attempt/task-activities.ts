import path from 'node:path';
import type { AttemptRef, TaskActivities } from '../../core/activities.ts';
import { matchesGlob } from '../../core/globs.ts';
import { attemptRef } from '../../core/ids.ts';
import type { RunManifest } from '../../core/run-manifest.ts';
import { DeliveredOutputs } from '../bootstrap/delivered-outputs.ts';
import { definitionKey } from '../checks/check-definition.ts';
import { runChecks } from '../checks/run-checks.ts';
import { changedPaths } from '../git/diff.ts';
import { removeTrees } from '../git/remove-tree.ts';
import { removeWorkspace } from '../git/workspace.ts';
import { KeyedMutex } from '../keyed-mutex.ts';
import { rideOf } from '../merge/ride.ts';
import type { ProjectHost } from '../project-host.ts';
import { attended, type StepControl } from '../step-control.ts';
import { keepWork, saveLeftOut } from './keep-work.ts';
import { prepareAttempt } from './prepare.ts';
import { takeQuestion } from './question.ts';
import { checksOf } from './task-checks.ts';
import { runTurn } from './turn.ts';

/**
 * The activities of tasks on one host. One activity works on an attempt at a time: a worker that missed a heartbeat is
 * asked again while its first answer is still under way.
 */
export function createTaskActivities(host: ProjectHost): TaskActivities {
  const mutex = new KeyedMutex();
  const alone = async <T>(attempt: AttemptRef, work: (control: StepControl) => Promise<T>): Promise<T> =>
    await attended((control) =>
      mutex.run(host.attemptDirectory(attempt), async () => {
        control.detached.throwIfAborted();
        return await work(control);
      }),
    );
  return {
    prepare: (input) =>
      attended((control) =>
        mutex.run(host.taskDirectory(input.run, input.task), () => prepareAttempt(host, input, control)),
      ),
    turn: (input) => alone(input.attempt, (control) => runTurn(host, input, control)),
    hints: ({ attempt, commit, turn, inputs }) =>
      alone(attempt, async (control) => {
        const { manifest, task } = await host.manifests.task(attempt.run, attempt.task);
        const { lint, fast } = checksOf(manifest, task);
        const checks = [...lint, ...fast];
        const label = `hints-${turn}`;
        return await runChecks({ host, manifest, task, attempt, commit, checks, label, inputs, control });
      }),
    verify: ({ attempt, base, commit, round, inputs }) =>
      alone(attempt, async (control) => {
        const { manifest, task } = await host.manifests.task(attempt.run, attempt.task);
        const { lint, doctor } = checksOf(manifest, task);
        // All that the agent did is in the commit: its work tree, scrubbed, is the cheapest checkout of it.
        const from = host.attemptDirectory(attempt);
        saveLeftOut(from);
        const label = `verify-${round}`;
        const checks = [...lint, ...doctor];
        const report = await runChecks({ host, manifest, task, attempt, commit, checks, label, inputs, from, control });
        // The train's check of the same tree finds no inputs, so it may come to another verdict.
        if (report.failure === null && Object.keys(inputs).length === 0) {
          const { tree } = await (await host.bare(attempt.run.repository)).commitInfo(commit);
          const subject = [attempt.run.repository.id, tree, definitionKey(manifest, checks, host.env)];
          host.verdicts.add(subject, report, label);
        }
        await removeAttempt(host, attempt);
        return { ...report, ride: rideOf(manifest, task, await pathsForLanes(host, manifest, attempt, base, commit)) };
      }),
    changedSince: async ({ run, base, globs }) => {
      const bare = await host.bare(run.repository);
      const { config } = await host.manifests.manifest(run);
      const options = { ignoreCase: config.repository.ignore_case ?? false, cache: new Map() };
      const tip = bare.tip(run.repository.branch);
      if (tip === null || tip === base) return [];
      const paths = (await changedPaths(bare, base, tip)).map((change) => change.path);
      return paths.filter((name) => globs.some((glob) => matchesGlob(glob, name, options))).slice(0, 20);
    },
    closeAttempt: ({ attempt, base }) =>
      alone(attempt, async () => {
        const { manifest } = await host.manifests.task(attempt.run, attempt.task);
        const bare = await host.bare(attempt.run.repository);
        const sandbox = await host.sandboxOf(manifest);
        await sandbox.closeAttempt(host.ownerOf(attempt));
        const directory = host.attemptDirectory(attempt);
        await takeQuestion({ bare, directory, base, step: 'close', redactor: host.redactor });
        await keepWork(host, bare, attempt, base, 'left when it was closed');
        await removeAttempt(host, attempt);
        return { commit: bare.ref(attemptRef(attempt.run.run, attempt.task, attempt.attempt)) };
      }),
  };
}

/** What the work changed, where that decides how it is merged. */
async function pathsForLanes(
  host: ProjectHost,
  { config }: RunManifest,
  { run }: AttemptRef,
  base: string,
  commit: string,
): Promise<string[]> {
  if (config.train.lanes.length === 0) return [];
  return (await changedPaths(await host.bare(run.repository), base, commit)).map((change) => change.path);
}

/** Takes away what an attempt needed while it worked. Its work is in its ref, its transcripts are with its steps. */
async function removeAttempt(host: ProjectHost, attempt: AttemptRef): Promise<void> {
  const { manifest } = await host.manifests.task(attempt.run, attempt.task);
  const sandbox = await host.sandboxOf(manifest);
  await sandbox.closeAttempt(host.ownerOf(attempt));
  const directory = host.attemptDirectory(attempt);
  await removeTrees([path.join(directory, 'agent-home')]);
  saveLeftOut(directory);
  await new DeliveredOutputs(directory).withdraw(host.snapshots);
  await removeWorkspace(directory, await host.pool(attempt.run.repository, sandbox));
}
