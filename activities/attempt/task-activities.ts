import { rmSync } from 'node:fs';
import path from 'node:path';
import type { AttemptRef, TaskActivities } from '../../core/activities.ts';
import type { CheckReport } from '../../core/checks.ts';
import { attemptRef } from '../../core/ids.ts';
import { runChecks, type Check } from '../checks/run-checks.ts';
import { removeWorkspace } from '../git/workspace.ts';
import { KeyedMutex } from '../keyed-mutex.ts';
import type { ProjectHost } from '../project-host.ts';
import { attended, type StepControl } from '../step-control.ts';
import { keepWork, saveLeftOut } from './keep-work.ts';
import { prepareAttempt } from './prepare.ts';
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
      attended(() => mutex.run(host.taskDirectory(input.run, input.task), () => prepareAttempt(host, input))),
    turn: (input) => alone(input.attempt, (control) => runTurn(host, input, control)),
    hints: ({ attempt, commit, turn }) =>
      alone(attempt, (control) =>
        check(host, attempt, commit, `hints-${turn}`, control, (checks) => [...checks.lint, ...checks.fast]),
      ),
    verify: ({ attempt, commit, round }) =>
      alone(attempt, async (control) => {
        const report = await check(host, attempt, commit, `verify-${round}`, control, (checks) => [
          ...checks.lint,
          ...checks.doctor,
        ]);
        await removeAttempt(host, attempt);
        return report;
      }),
    closeAttempt: ({ attempt, base }) =>
      alone(attempt, async () => {
        const { manifest } = await host.manifests.task(attempt.run, attempt.task);
        const bare = await host.bare(attempt.run.repository);
        const sandbox = await host.sandboxOf(manifest);
        await sandbox.closeAttempt(host.ownerOf(attempt));
        await keepWork(host, bare, attempt, base, 'left when it was closed');
        await removeAttempt(host, attempt);
        return { commit: bare.ref(attemptRef(attempt.run.run, attempt.task, attempt.attempt)) };
      }),
  };
}

async function check(
  host: ProjectHost,
  attempt: AttemptRef,
  commit: string,
  label: string,
  control: StepControl,
  choose: (checks: ReturnType<typeof checksOf>) => Check[],
): Promise<CheckReport> {
  const { manifest, task } = await host.manifests.task(attempt.run, attempt.task);
  const checks = choose(checksOf(manifest, task));
  return await runChecks({ host, manifest, task, attempt, commit, checks, label, control });
}

/** Takes away what an attempt needed while it worked. Its work is in its ref, its transcripts are with its steps. */
async function removeAttempt(host: ProjectHost, attempt: AttemptRef): Promise<void> {
  const { manifest } = await host.manifests.task(attempt.run, attempt.task);
  const sandbox = await host.sandboxOf(manifest);
  await sandbox.closeAttempt(host.ownerOf(attempt));
  const directory = host.attemptDirectory(attempt);
  rmSync(path.join(directory, 'agent-home'), { recursive: true, force: true });
  saveLeftOut(directory);
  removeWorkspace(directory, await host.pool(attempt.run.repository, sandbox));
}
