import { createHash } from 'node:crypto';
import type { AttemptRef, TrainCheck } from '../../core/activities.ts';
import type { CheckReport } from '../../core/checks.ts';
import { SignalboxError } from '../../core/failures.ts';
import type { RunManifest } from '../../core/run-manifest.ts';
import type { Task } from '../../core/task-file.ts';
import { definitionKey } from '../checks/check-definition.ts';
import { runChecks, type Check } from '../checks/run-checks.ts';
import type { ProjectHost } from '../project-host.ts';
import type { StepControl } from '../step-control.ts';
import { integrationChecks } from './ride.ts';

/** Runs the integration checks on a commit, unless the verdict on its tree is known. */
export async function checkCommit(host: ProjectHost, input: TrainCheck, control: StepControl): Promise<CheckReport> {
  const check = await prepareCheck(host, input);
  const known = host.verdicts.find(check.subject, input.session);
  if (known !== null) return { ...known, commands: check.checks.length, durationMs: 0 };
  const report = await check.run(control, 'integration');
  host.verdicts.add(check.subject, report, input.session);
  return report;
}

/** Runs the integration checks on an accepted tip, whatever was known of it. */
export async function checkTip(
  host: ProjectHost,
  input: TrainCheck & { id: number },
  control: StepControl,
): Promise<CheckReport> {
  const check = await prepareCheck(host, input);
  return await check.run(control, `tip-${input.id}`);
}

/** Runs the integration checks with the canary's variable set, unless it is known that they fail then. */
export async function checkCanary(
  host: ProjectHost,
  input: TrainCheck,
  control: StepControl,
): Promise<{ proven: boolean }> {
  const check = await prepareCheck(host, input);
  const { variable } = check.manifest.config.checks.canary;
  const subject = ['canary', variable, check.key];
  if (check.checks.length === 0) return { proven: true };
  // A failure is what it should be; that it was missing counts only within the session.
  const known = host.verdicts.find(subject, input.session);
  if (known !== null) return { proven: known.failure === null };
  const { failure } = await check.run(control, 'canary', { [variable]: '1' });
  const ended = failure !== null && !failure.timedOut && !failure.outOfMemory && failure.exitCode !== null;
  // Where the dependencies are missing, the checks said nothing.
  const proven = ended && failure.check !== 'bootstrap';
  const unproven = { check: 'canary', command: '', exitCode: 0, signal: null, timedOut: false, outOfMemory: false };
  host.verdicts.add(subject, { failure: proven ? null : { ...unproven, output: '' } }, input.session);
  return { proven };
}

interface PreparedCheck {
  manifest: RunManifest;
  checks: Check[];
  /** What its verdict depends on besides the tree. */
  key: string;
  /** What its verdict is about. */
  subject: string[];
  run(control: StepControl, label: string, env?: Record<string, string>): Promise<CheckReport>;
}

/** Finds out what is to be checked. Its steps carry commit and session: within one they are found again by whoever retries. */
async function prepareCheck(host: ProjectHost, input: TrainCheck): Promise<PreparedCheck> {
  const { run, commit, lane, session } = input;
  const { manifest, task } = await taskOf(host, input);
  const checks = integrationChecks(manifest, task, lane);
  const key = definitionKey(manifest, checks, host.env);
  const bare = await host.bare(run.repository);
  const { tree } = await bare.commitInfo(commit);
  // No hyphen: the janitor takes it for no execution of a task, which could be over.
  const execution = createHash('sha256').update(session).digest('hex').slice(0, 16);
  const attempt: AttemptRef = { run, task: task.manifest.id, attempt: input.attempt, execution };
  return {
    manifest,
    checks,
    key,
    subject: [run.repository.id, tree, key],
    run: async (control, name, env = {}) => {
      const label = `${name}-${commit.slice(0, 12)}-${execution.slice(0, 8)}`;
      return await runChecks({ host, manifest, task, attempt, commit, checks, label, env, control });
    },
  };
}

async function taskOf(
  host: ProjectHost,
  { run, task: id }: TrainCheck,
): Promise<{ manifest: RunManifest; task: Task }> {
  if (id !== null) return await host.manifests.task(run, id);
  const manifest = await host.manifests.manifest(run);
  const [task] = manifest.tasks;
  if (task === undefined) throw new SignalboxError('internal', `run ${run.run} has no tasks`);
  return { manifest, task };
}
