import { existsSync } from 'node:fs';
import path from 'node:path';
import type { AttemptRef, TaskActivities, TurnResult } from '../../core/activities.ts';
import { attemptRef, stepName } from '../../core/ids.ts';
import { renderPrompt } from '../../core/prompt.ts';
import type { BareRepository } from '../git/bare-repository.ts';
import { changedPaths } from '../git/diff.ts';
import { snapshot } from '../git/snapshot.ts';
import { workspaceAt } from '../git/workspace.ts';
import type { ProjectHost } from '../project-host.ts';
import { endable, type StepControl } from '../step-control.ts';
import { stepEnvironment } from '../step-facts.ts';
import { checksOf } from './task-checks.ts';
import { taskFileMount } from './task-file-copy.ts';

/** One agent turn, then a snapshot of all that it left. Called again, it attaches to the turn, and snapshots again. */
export async function runTurn(
  host: ProjectHost,
  input: Parameters<TaskActivities['turn']>[0],
  control: StepControl,
): Promise<TurnResult> {
  const { attempt, base, turn, thread, evidence } = input;
  const { run } = attempt;
  const { manifest, task } = await host.manifests.task(run, attempt.task);
  const settings = { ...manifest.config.agent, ...withoutUndefined(task.manifest.agent) };
  const sandbox = await host.sandboxOf(manifest);
  const bare = await host.bare(run.repository);
  const directory = host.attemptDirectory(attempt);
  const owner = host.ownerOf(attempt);
  const step = `turn-${turn}`;
  const name = stepName(owner, step);
  const taskFile = taskFileMount(host, run, task);
  const checks = checksOf(manifest, task);
  const result = await endable(control, sandbox, name, () =>
    host.agents[settings.provider].runTurn(
      {
        step: { name, owner, execution: attempt.execution },
        sandbox,
        workTree: workspaceAt(directory).tree,
        agentHome: path.join(directory, 'agent-home'),
        gitObjects: bare.objectStore,
        mounts: [taskFile],
        prompt: renderPrompt({
          task,
          attempt: attempt.attempt,
          turn,
          resumed: thread !== null,
          evidence,
          checks: [...checks.lint, ...checks.doctor].map((check) => check.command),
        }),
        threadId: thread,
        model: settings.model,
        reasoningEffort: settings.reasoning_effort,
        command: settings.command,
        env: {
          ...stepEnvironment(host, manifest, attempt, step, taskFile.target),
          SIGNALBOX_TURN: String(turn),
        },
        timeoutMs: task.manifest.limits.task_time ?? manifest.config.limits.task_time,
        network: manifest.config.sandbox.network,
      },
      { signal: control.detached },
    ),
  );
  const kept = await keepWork(host, bare, attempt, base, `turn ${turn}`);
  return {
    outcome: result.outcome,
    reason: result.reason,
    thread: result.threadId,
    message: result.message,
    usage: result.usage,
    ...kept,
  };
}

/** Commits the work tree of an attempt to its ref. @returns the commit, the base itself where nothing changed */
export async function keepWork(
  host: ProjectHost,
  bare: BareRepository,
  attempt: AttemptRef,
  base: string,
  what: string,
): Promise<{ commit: string; changed: number }> {
  const ref = attemptRef(attempt.run.run, attempt.task, attempt.attempt);
  const directory = host.attemptDirectory(attempt);
  if (!existsSync(workspaceAt(directory).tree)) {
    const commit = bare.ref(ref) ?? base;
    return { commit, changed: commit === base ? 0 : (await changedPaths(bare, base, commit)).length };
  }
  const kept = await snapshot({
    bare,
    workspaceDirectory: directory,
    parent: base,
    ref,
    message: `${attempt.task}, attempt ${attempt.attempt}: ${what}`,
    author: host.signature(),
  });
  return { commit: kept.commit, changed: kept.changes.length };
}

function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
