import { allHandlersFinished, condition, continueAsNew, setHandler, workflowInfo } from '@temporalio/workflow';
import { checkEvidence, type Evidence } from '../core/evidence.ts';
import { runWorkflowId, taskWorkflowId } from '../core/ids.ts';
import type { RunRef } from '../core/run-ref.ts';
import * as rules from '../core/train.ts';
import type { LandingNews, TrainMember, TrainQueue, TrainResult } from '../core/train.ts';
import type { TrainInput } from '../core/workflow-inputs.ts';
import { trainActivities } from './activity-proxies.ts';
import * as messages from './messages.ts';
import { signalIfOpen } from './services.ts';

/** Without work for so long, the train goes home; the next `submit` starts it again. */
const IDLE = '10m';

/** Seconds between tries to land what the user's repository refused: soon at first, then at a rate that costs little. */
const LANDING_RETRIES = [2, 4, 8, 15, 30];

/** How often a candidate is made anew because somebody moved the branch meanwhile. */
const MOST_MOVES = 20;

/**
 * The train into one branch: merges finished tasks onto a candidate, checks exactly that tree, and lands it. It is the
 * only writer of the accepted tip.
 */
export async function train(input: TrainInput): Promise<void> {
  const { repository } = input;
  let queue: TrainQueue = input.queue ?? rules.emptyTrain();
  let tries = 0;
  const withdrawn = new Set<string>();

  setHandler(messages.queueQuery, () => queue);
  setHandler(messages.submitSignal, async (member) => {
    const step = rules.submit(queue, member);
    queue = step.queue;
    if (step.answer !== null) await tellTask(member, step.answer);
  });
  setHandler(messages.withdrawSignal, async (withdrawal) => {
    const step = rules.withdraw(queue, withdrawal);
    queue = step.queue;
    if (step.answer === null) withdrawn.add(rules.memberKey(withdrawal));
    else await tellTask(withdrawal, step.answer);
  });

  const landed = async (news: LandingNews, run: RunRef | null): Promise<void> => {
    const next = rules.landing(queue, news, run);
    queue = next.queue;
    tries = news.landed ? 0 : tries;
    for (const other of next.tell) {
      await signalIfOpen(runWorkflowId(other.project, other.run), messages.landingSignal, news);
    }
  };

  const carry = async (member: TrainMember): Promise<TrainResult> => {
    const { attempt } = member;
    const named = `${member.task} ${member.name}`.slice(0, 100);
    for (let moves = 0; moves < MOST_MOVES; moves += 1) {
      const candidate = await trainActivities(repository, `merge ${named}`).candidate({ member });
      if (candidate.kind === 'conflict') return { outcome: 'rejected', attempt, evidence: candidate.evidence };
      const checking = trainActivities(repository, `integration checks of ${named}`);
      const execution = workflowInfo().firstExecutionRunId;
      const report = await checking.check({ member, candidate: candidate.commit, execution });
      if (report.failure !== null) {
        const evidence = checkEvidence('failed_integration', report.failure, attempt, candidate.commit);
        return { outcome: 'rejected', attempt, evidence };
      }
      if (withdrawn.has(rules.memberKey(member))) return { outcome: 'withdrawn', attempt };
      const advancing = trainActivities(repository, `land ${named}`);
      const step = await advancing.advance({ repository, candidate: candidate.commit, tip: candidate.tip });
      if (step.outcome === 'moved') continue;
      await landed(step.landing, member.run);
      return { outcome: 'merged', attempt, commit: candidate.commit };
    }
    return { outcome: 'rejected', attempt, evidence: ejected(member, 'the branch was moved again and again') };
  };

  for (;;) {
    const wait =
      queue.unlanded === null ? IDLE : `${LANDING_RETRIES[Math.min(tries, LANDING_RETRIES.length - 1)] ?? 30}s`;
    const woken = queue.current !== null || (await condition(() => queue.waiting.length > 0, wait));
    if (!woken && queue.unlanded !== null) {
      tries += 1;
      try {
        await landed(await trainActivities(repository, 'land the accepted tip').land({ repository }), null);
      } catch {
        // The next try comes by itself; the reason shown stays the one before.
      }
    } else if (!woken) {
      await condition(allHandlersFinished);
      if (queue.waiting.length === 0) return;
    } else {
      queue = queue.current === null ? rules.begin(queue) : queue;
      const member = queue.current;
      if (member === null) continue;
      const result = await carry(member).catch((error: unknown): TrainResult => ({
        outcome: 'rejected',
        attempt: member.attempt,
        evidence: ejected(member, messageOf(error)),
      }));
      queue = rules.finish(queue, result);
      withdrawn.delete(rules.memberKey(member));
      await tellTask(member, result);
    }
    if (workflowInfo().continueAsNewSuggested) {
      await condition(allHandlersFinished);
      await continueAsNew<typeof train>({ ...input, queue });
    }
  }
}

async function tellTask(member: Pick<TrainMember, 'run' | 'task'>, result: TrainResult): Promise<void> {
  await signalIfOpen(
    taskWorkflowId(member.run.project, member.run.run, member.task),
    messages.trainResultSignal,
    result,
  );
}

function ejected(member: TrainMember, why: string): Evidence {
  const summary = `it could not be merged: ${why}`.slice(0, 500);
  return { kind: 'lost', summary, detail: why, attempt: member.attempt, commit: member.commit };
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
