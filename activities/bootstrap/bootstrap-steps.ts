import type { BuildRequest } from './build-snapshot.ts';
import { checkFailure } from '../checks/check-failure.ts';
import type { CheckFailure } from '../../core/checks.ts';
import { bootstrapOwner, stepName } from '../../core/ids.ts';
import type { StepSpec } from '../sandbox/sandbox.ts';

/** Bytes of output kept of each stream. */
const OUTPUT_LIMIT = 4 * 1024 * 1024;
/** How often the newest line of the output is passed on, milliseconds. */
const SIGN_OF_LIFE_MS = 10_000;

/**
 * Runs one command of a bootstrap, or attaches to it. It belongs to no task: others may wait for it when the one that asked
 * for it first is over. Its own time bounds it.
 *
 * @param build the build's id
 */
export async function runBootstrapStep(
  request: BuildRequest,
  build: string,
  index: number,
  tree: string,
): Promise<{ lost: boolean; failure: CheckFailure | null }> {
  const { bare, bootstrap, network, sandbox, id, project, variables, timeoutMs, signal, onProgress } = request;
  const command = bootstrap.commands[index] ?? '';
  const owner = bootstrapOwner(project, id);
  let newest = '';
  const timer = setInterval(() => {
    if (newest !== '') onProgress(`  … ${newest}`);
    newest = '';
  }, SIGN_OF_LIFE_MS);
  try {
    const spec: StepSpec = {
      name: stepName(owner, `${build}-${index + 1}`),
      owner,
      // No workflow's, so that nobody ends the step for a workflow that is over.
      execution: id.key,
      kind: 'bootstrap',
      command,
      stdin: '',
      workTree: tree,
      mounts: [{ source: bare.objectStore, target: bare.objectStore, readOnly: true }],
      env: { ...variables, SIGNALBOX_PROJECT: project },
      timeoutMs,
      outputLimit: OUTPUT_LIMIT,
      network,
    };
    const result = await sandbox.run(spec, { signal, onStdout: (chunk) => (newest = lastLine(chunk) || newest) });
    const failure = result.exitCode === 0 ? null : await checkFailure({ name: 'bootstrap', command }, result);
    return { lost: result.lost, failure };
  } finally {
    clearInterval(timer);
  }
}

// eslint-disable-next-line no-control-regex -- control characters are what it finds
const CONTROLS = /[\u0000-\u001f\u007f]/g;

function lastLine(chunk: Buffer): string {
  const lines = chunk.toString('utf8').split(/[\r\n]+/);
  return (lines.filter((line) => line.trim() !== '').at(-1) ?? '').replaceAll(CONTROLS, '').slice(0, 100);
}
