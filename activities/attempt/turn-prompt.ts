import type { TaskActivities } from '../../core/activities.ts';
import { claimsOf, declaresScope } from '../../core/catalogue.ts';
import type { RunManifest } from '../../core/run-manifest.ts';
import type { Task } from '../../core/task-file.ts';
import { renderPrompt } from '../prompts/render-prompt.ts';
import { checksOf } from './task-checks.ts';

/** The prompt of a turn, by the templates that its run is pinned to. */
export function turnPrompt(manifest: RunManifest, task: Task, input: Parameters<TaskActivities['turn']>[0]): string {
  const checks = checksOf(manifest, task);
  const facts = {
    task,
    scope: declaresScope(task) ? [...claimsOf(task, manifest.config).writes, ...input.extra] : [],
    attempt: input.attempt.attempt,
    turn: input.turn,
    evidence: input.evidence,
    checks: [...checks.lint, ...checks.doctor].map((check) => check.command),
    inputs: input.inputs,
  };
  return renderPrompt(manifest.prompts, facts, input.thread !== null);
}
