import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import type { AttemptRef } from '../../core/activities.ts';
import { endingWords } from '../../core/checks.ts';
import { mergeSettings } from '../../core/config.ts';
import { stepName } from '../../core/ids.ts';
import type { RunManifest } from '../../core/run-manifest.ts';
import type { RunRef } from '../../core/run-ref.ts';
import type { Task } from '../../core/task-file.ts';
import type { TrainMember } from '../../core/train.ts';
import { taskFileMount } from '../attempt/task-file-copy.ts';
import { outputOf } from '../checks/check-failure.ts';
import type { BareRepository } from '../git/bare-repository.ts';
import type { DriverFile, Resolution, Resolve } from '../git/driver-merge.ts';
import type { TreeMerge } from '../git/merge-trees.ts';
import { ourSignature, writeCommit } from '../git/objects.ts';
import { readSandboxFile } from '../git/sandbox-file.ts';
import type { ProjectHost } from '../project-host.ts';
import { runUnlessLost } from '../sandbox/run-unless-lost.ts';
import type { Sandbox, StepResult } from '../sandbox/sandbox.ts';
import { endable, type StepControl } from '../step-control.ts';
import { stepEnvironment } from '../step-facts.ts';
import { diskFailure } from '../system-errors.ts';

/** Bytes of output kept of each stream of a command. */
const OUTPUT_LIMIT = 1024 * 1024;
/** Bytes of the largest result. */
const LARGEST = 64 * 1024 * 1024;

/** Whose merge it is. */
interface Merging {
  host: ProjectHost;
  run: RunRef;
  member: TrainMember;
  control: StepControl;
}

/** How the configuration of a member's run wants it to be merged: to be spread into the request of `mergeCandidate`. */
export async function memberMergeOptions(
  merging: Merging,
): Promise<Required<Pick<TreeMerge, 'drivers' | 'resolve' | 'ignoreCase'>>> {
  const { config } = await merging.host.manifests.manifest(merging.run);
  return {
    drivers: mergeSettings(config).drivers,
    ignoreCase: config.repository.ignore_case ?? false,
    resolve: (merge) => runCommands(merging, merge),
  };
}

const resultsSchema = z.record(
  z.string(),
  z.union([z.strictObject({ object: z.string() }), z.strictObject({ reason: z.string(), output: z.string() })]),
);

/** What all commands of one merge have in common. */
interface Work extends Merging {
  bare: BareRepository;
  manifest: RunManifest;
  task: Task;
  sandbox: Sandbox;
  attempt: AttemptRef;
  /** Makes the steps' names. */
  label: string;
  workTree: string;
  /** The host's own directory for the merge. */
  directory: string;
}

/**
 * Runs the commands of the files of one merge, each as a step without network, in a fresh checkout of the merged tree. The
 * same merge is found again: its results once they are there, until then its steps.
 */
async function runCommands(merging: Merging, merge: Parameters<Resolve>[0]): ReturnType<Resolve> {
  const { host, run, member } = merging;
  const digest = createHash('sha256').update(JSON.stringify(merge)).digest('hex').slice(0, 16);
  const directory = path.join(host.taskDirectory(run, member.task), `merge-${digest}`);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const record = path.join(directory, 'results.json');
  if (existsSync(record)) return new Map(Object.entries(resultsSchema.parse(JSON.parse(readFileSync(record, 'utf8')))));

  const { manifest, task } = await host.manifests.task(run, member.task);
  const sandbox = await host.sandboxOf(manifest);
  const bare = await host.bare(run.repository);
  const pool = await host.pool(run.repository, sandbox);
  const attempt = { run, task: member.task, attempt: member.attempt, execution: digest };
  const round = roundOf(directory);
  const label = `merge-${digest}-${round}`;
  const key = stepName(host.ownerOf(attempt), label);
  const author = { ...ourSignature(), time: (await bare.commitInfo(merge.tip)).committedAt };
  const { tree, tip, commit } = merge;
  const message = 'A merge under way';
  const merged = writeCommit(bare.gitDir, { tree, parents: [tip, commit], message, author, committer: author });
  const { directory: workTree } = await pool.acquire(key, merged);
  const work: Work = { ...merging, bare, manifest, task, sandbox, attempt, label, workTree, directory };
  const results: [string, Resolution][] = [];
  try {
    for (const [index, file] of merge.files.entries())
      results.push([file.path, await runCommand(work, file, index + 1)]);
  } catch (error) {
    // Whatever else went wrong, a step may still work in the checkout: whoever asks again finds both.
    if (merging.control.ended.aborted) {
      // What has run belongs to this checkout: the next one begins anew.
      replaceFile(path.join(directory, 'round'), String(round + 1));
      pool.release(key);
    }
    throw error;
  }
  replaceFile(record, JSON.stringify(Object.fromEntries(results)));
  pool.release(key);
  return new Map(results);
}

/** How often the commands of a merge were ended. */
function roundOf(directory: string): number {
  const file = path.join(directory, 'round');
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
}

function replaceFile(file: string, text: string): void {
  try {
    writeFileSync(`${file}.new`, text, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  } catch (error) {
    throw diskFailure(error) ?? error;
  }
}

async function runCommand(work: Work, file: DriverFile, number: number): Promise<Resolution> {
  const { bare, directory, workTree } = work;
  const { command } = file.driver;
  const versions = path.join(directory, String(number));
  mkdirSync(versions, { recursive: true, mode: 0o755 });
  for (const name of ['base', 'ours', 'theirs'] as const) {
    const object = file[name];
    const content = object === null ? '' : (await bare.git(['cat-file', 'blob', object])).stdout;
    writeFileSync(path.join(versions, name), content, { mode: 0o644 });
  }
  const label = `${work.label}-${number}`;
  const result = await runUnlessLost(label, (name) => runStep(work, file, versions, name));
  const failed = async (how: string): Promise<Resolution> => ({
    reason: `The command \`${command}\` ${how}`,
    output: work.host.redactor.text(await outputOf(result)),
  });
  if (result.exitCode !== 0) return await failed(result.lost ? 'was lost with its machine' : endingWords(result));
  const read = readSandboxFile(workTree, file.path, LARGEST);
  if ('problem' in read) return await failed(read.problem);
  // The path, so that line endings become those that the project wants in its history.
  const args = ['hash-object', '-w', '--stdin', `--path=${file.path}`];
  const { stdout } = await bare.git(args, { workTree, input: read.content });
  return { object: stdout.toString().trim() };
}

async function runStep(work: Work, file: DriverFile, versions: string, label: string): Promise<StepResult> {
  const { host, manifest, attempt, control, task, sandbox, bare, workTree } = work;
  const owner = host.ownerOf(attempt);
  const name = stepName(owner, label);
  const taskFile = taskFileMount(host, attempt.run, task);
  const readOnly = (source: string) => ({ source, target: source, readOnly: true });
  const result = await endable(control, sandbox, name, () =>
    sandbox.run(
      {
        name,
        owner,
        execution: attempt.execution,
        kind: 'check',
        command: file.driver.command,
        stdin: '',
        workTree,
        mounts: [taskFile, readOnly(bare.objectStore), readOnly(versions)],
        env: {
          ...stepEnvironment(host, manifest, attempt, label, taskFile.target),
          SIGNALBOX_MERGE_PATH: file.path,
          SIGNALBOX_MERGE_BASE: path.join(versions, 'base'),
          SIGNALBOX_MERGE_OURS: path.join(versions, 'ours'),
          SIGNALBOX_MERGE_THEIRS: path.join(versions, 'theirs'),
        },
        timeoutMs: file.driver.timeout,
        outputLimit: OUTPUT_LIMIT,
        network: 'none',
      },
      { signal: control.detached },
    ),
  );
  control.ended.throwIfAborted();
  return result;
}
