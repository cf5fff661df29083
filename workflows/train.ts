import { allHandlersFinished, condition, continueAsNew, setHandler } from '@temporalio/workflow';
import type { CandidateRequest } from '../core/activities.ts';
import { checkEvidence, type Evidence } from '../core/evidence.ts';
import { runWorkflowId, taskWorkflowId } from '../core/ids.ts';
import type { RunRef } from '../core/run-ref.ts';
import * as rules from '../core/train.ts';
import type { LandingNews, TrainMember, TrainQueue, TrainResult } from '../core/train.ts';
import type { TrainInput } from '../core/workflow-inputs.ts';
import { trainActivities } from './activity-proxies.ts';
import * as messages from './messages.ts';
import { isLong, signalIfOpen } from './services.ts';

/** Without work for so long, the train goes home; the next `submit` starts it again. */
const IDLE = '10m';

/** Seconds between tries to land what the user's repository refused: soon at first, then at a rate that costs little. */
const LANDING_RETRIES = [2, 4, 8, 15, 30];

/** How often a candidate is made anew because somebody moved the branch meanwhile. */
const MOST_MOVES = 20;

/** What became of a candidate. */
type Carried =
  { outcome: 'merged'; commit: string } | { outcome: 'rejected'; evidence: Evidence } | { outcome: 'withdrawn' };

/**
 * The train into one branch: merges finished tasks onto a candidate, checks exactly that tree, and lands it. It is the
 * only writer of the accepted tip.
 */
export async function train(input: TrainInput): Promise<void> {
  const { repository } = input;
  let queue: TrainQueue = input.queue ?? rules.emptyTrain();
  let tries = 0;
  const withdrawn = new Set<string>();
  const telling = new Set<Promise<void>>();

  /** Tells a task while the train goes on; it stays until all are told. */
  const tell = (member: TrainMember, result: TrainResult): void => {
    const told = tellTask(member, result).finally(() => telling.delete(told));
    telling.add(told);
  };
  const allTold = (): boolean => telling.size === 0 && allHandlersFinished();

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

  /** Brings a member, or only the user's own new commits, through candidate and checks to the accepted tip. */
  const carry = async (request: CandidateRequest, name: string): Promise<Carried> => {
    const { run, member } = request;
    for (let moves = 0; moves < MOST_MOVES; moves += 1) {
      const candidate = await trainActivities(repository, `merge ${name}`).candidate(request);
      if (candidate.kind === 'conflict') return { outcome: 'rejected', evidence: candidate.evidence };
      const checking = trainActivities(repository, `integration checks of ${name}`);
      const report = await checking.check({ ...request, candidate: candidate.commit });
      if (report.failure !== null) {
        const evidence = checkEvidence('failed_integration', report.failure, member?.attempt ?? 0, candidate.commit);
        return { outcome: 'rejected', evidence };
      }
      if (member !== null && withdrawn.has(rules.memberKey(member))) return { outcome: 'withdrawn' };
      const advancing = trainActivities(repository, `land ${name}`);
      const step = await advancing.advance({ ...request, candidate: candidate.commit, tip: candidate.tip });
      if (step.outcome === 'moved') continue;
      await landed(step.landing, run);
      return { outcome: 'merged', commit: candidate.commit };
    }
    return { outcome: 'rejected', evidence: ejected(member, 'the branch was moved again and again') };
  };

  /** Tries again to land; joins what the user committed meanwhile if that is what keeps the two apart. */
  const landAgain = async (run: RunRef): Promise<void> => {
    const news = await trainActivities(repository, 'land the accepted tip').land({ repository });
    await landed(news, null);
    if (!news.diverged) return;
    const end = await carry({ run, member: null }, `the commits that ${repository.branch} got meanwhile`);
    if (end.outcome !== 'rejected') return;
    const { summary } = end.evidence;
    const hint = `merge refs/remotes/signalbox/${repository.branch} into ${repository.branch} yourself`;
    await landed(
      { ...news, reason: `your new commits do not go together with the accepted work: ${summary}`, hint },
      null,
    );
  };

  for (;;) {
    const wait =
      queue.unlanded === null ? IDLE : `${LANDING_RETRIES[Math.min(tries, LANDING_RETRIES.length - 1)] ?? 30}s`;
    const woken = queue.current !== null || (await condition(() => queue.waiting.length > 0, wait));
    if (!woken && queue.unlanded !== null) {
      tries += 1;
      try {
        const [run] = queue.unlanded.runs;
        if (run !== undefined) await landAgain(run);
      } catch {
        // The next try comes by itself; the reason shown stays the one before.
      }
    } else if (!woken) {
      await condition(allTold);
      if (queue.waiting.length === 0) return;
    } else {
      queue = queue.current === null ? rules.begin(queue) : queue;
      const member = queue.current;
      if (member === null) continue;
      const carried = await carry({ run: member.run, member }, `${member.task} ${member.name}`.slice(0, 100)).catch(
        (error: unknown): Carried => ({ outcome: 'rejected', evidence: ejected(member, messageOf(error)) }),
      );
      const result: TrainResult = { ...carried, attempt: member.attempt };
      queue = rules.finish(queue, result);
      withdrawn.delete(rules.memberKey(member));
      tell(member, result);
    }
    if (isLong()) {
      await condition(allTold);
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

function ejected(member: TrainMember | null, why: string): Evidence {
  const summary = `it could not be merged: ${why}`.slice(0, 500);
  return {
    kind: 'lost',
    summary,
    detail: why,
    attempt: member?.attempt ?? 0,
    commit: member?.commit ?? null,
    tried: '',
    changes: '',
  };
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
