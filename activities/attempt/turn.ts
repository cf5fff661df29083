import path from 'node:path';
import type { TaskActivities, TurnResult } from '../../core/activities.ts';
import { stepName } from '../../core/ids.ts';
import { limitsOf, turnTime } from '../../core/limits.ts';
import { agentNetwork } from '../../core/step-network.ts';
import type { AgentTurnResult } from '../agent/agent.ts';
import { DeliveredOutputs } from '../bootstrap/delivered-outputs.ts';
import { workspaceAt } from '../git/workspace.ts';
import type { ProjectHost } from '../project-host.ts';
import { endable, type StepControl } from '../step-control.ts';
import { stepEnvironment } from '../step-facts.ts';
import { keepWork } from './keep-work.ts';
import { takeQuestion } from './question.ts';
import { taskFileMount } from './task-file-copy.ts';
import { TurnMeter } from './turn-meter.ts';
import { turnPrompt } from './turn-prompt.ts';
import { workFacts } from './work-facts.ts';

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
  // A turn that was stopped while no worker attended to it still runs: two agents must not share a work tree.
  if (turn > 1 && evidence.some(({ kind }) => kind === 'interrupted'))
    await sandbox.end(stepName(owner, `turn-${turn - 1}`));
  const limits = limitsOf(manifest.config, task.manifest);
  const timeoutMs = turnTime(limits, input.spentMs, input.allowance);
  const meter = new TurnMeter({
    home: host.home,
    ledger: host.usage,
    sandbox,
    run,
    step: name,
    limits,
    allowance: input.allowance,
    spent: input.spent,
    spentMs: input.spentMs,
    model: settings.model,
    prices: manifest.config.prices,
  });
  const work = (): Promise<AgentTurnResult> =>
    host.agents[settings.provider].runTurn(
      {
        step: { name, owner, execution: attempt.execution },
        sandbox,
        workTree: workspaceAt(directory).tree,
        agentHome: path.join(directory, 'agent-home'),
        gitObjects: bare.objectStore,
        mounts: [taskFile],
        layers: new DeliveredOutputs(directory, sandbox.fileOwner).layers(),
        prompt: host.redactor.text(turnPrompt(manifest, task, input)),
        threadId: thread,
        model: settings.model,
        reasoningEffort: settings.reasoning_effort,
        command: settings.command,
        env: {
          ...stepEnvironment(host, manifest, attempt, step, taskFile.target),
          SIGNALBOX_TURN: String(turn),
        },
        timeoutMs,
        network: agentNetwork(manifest.config.sandbox),
      },
      { signal: control.detached, ...meter.hooks },
    );
  const result = meter.refuses ? null : await meter.attend(() => endable(control, sandbox, name, work));
  const metered = await meter.settle(result);
  const question = await takeQuestion({ bare, directory, base, step, redactor: host.redactor });
  const kept = await keepWork(host, bare, attempt, base, `turn ${turn}`);
  return {
    ...outcomeOf(result, metered.limit),
    thread: result === null ? thread : result.threadId,
    message: result?.message ?? '',
    usage: metered.usage,
    durationMs: result?.durationMs ?? 0,
    ...kept,
    ...(await workFacts(bare, manifest, task, { base, commit: kept.commit, extra: input.extra })),
    question,
    warnings: [...metered.warnings, ...kept.warnings],
  };
}

/** @param limit the bound that ended the turn; one that only warns leaves it to the step's own clock to end it */
function outcomeOf(
  result: AgentTurnResult | null,
  limit: string | null,
): Pick<TurnResult, 'outcome' | 'reason' | 'error'> {
  if (limit !== null || result === null) return { outcome: 'limit', reason: limit, error: null };
  const { outcome, reason, error } = result;
  if (outcome !== 'timed_out') return { outcome, reason, error };
  const why = `${reason ?? 'it took too long'}, the most that limits.task_time gives one turn`;
  return { outcome: 'failed', reason: why, error: 'unknown' };
}

function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
