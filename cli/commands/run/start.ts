import type { RunImage } from '../../../core/run-image.ts';
import type { PreparedRun } from '../../../workers/runs/prepare-run.ts';
import { attach, runOutcome } from '../../attached.ts';
import { defineCommand } from '../../framework/command.ts';
import type { Context } from '../../framework/context.ts';
import { choice, count, flag, list, text } from '../../framework/options.ts';
import { showImageProgress } from '../../image-progress.ts';
import { withSession } from '../../session.ts';

export const runStart = defineCommand({
  name: 'run start',
  summary: 'Start a run of the tasks, and show what changes until it ends',
  description:
    'Everything is checked before anything starts. A task that an earlier run has merged, and whose file is the same, is not ' +
    'done again. Without a Temporal server the embedded one is started; without a worker, ' +
    'one in the background, which ends itself when idle. Ctrl+C leaves the run alone: it goes on, and "run watch" shows it.',
  options: {
    tasks: list('--tasks <ids>', 'only these tasks, separated by commas; by default all'),
    reuse: flag('--no-reuse', 'do tasks again that earlier runs have merged'),
    runId: text('--run-id <id>', 'a name for the run; by default made from the time'),
    maxParallel: count('--max-parallel <n>', 'how many tasks at once, instead of run.max_parallel'),
    backend: choice('--backend <backend>', 'where agents and checks run, instead of sandbox.backend', [
      'docker',
      'local',
    ]),
    dryRun: flag('--dry-run', 'say what would run, and change nothing'),
    detach: flag('--detach', 'return as soon as the run is started'),
    stop: flag('--stop', 'Ctrl+C also ends the running agents, keeping their work'),
  },
  examples: [
    { command: 'signalbox run start', help: 'all tasks, attached' },
    { command: 'signalbox run start --tasks 001,002 --max-parallel 2', help: 'two of them' },
    { command: 'signalbox run start --dry-run', help: 'what would run, in which order' },
    { command: 'signalbox run start --detach -o json', help: 'for scripts' },
  ],
  run: async (context, { options }) => {
    const { output } = context;
    const { prepareRun } = await import('../../../workers/runs/prepare-run.ts');
    const { directory, env } = context;
    const { tasks, reuse, runId, maxParallel, backend } = options;
    const prepared = await prepareRun({ directory, env, tasks, reuse, runId, maxParallel, backend });
    for (const notice of prepared.notices) output.progress(notice);
    if (options.dryRun) {
      const { dryRunResult, dryRunText } = await import('../../views/dry-run-view.ts');
      return { result: dryRunResult(prepared), text: dryRunText(prepared, context.output.columns) };
    }
    const image = await imageOf(context, prepared);
    const { tryRunSandbox } = await import('../../../workers/sandbox-trial.ts');
    await tryRunSandbox(prepared.manifest, env, image);
    return await withSession(context, { startServer: true }, async (session) => {
      const { startRun } = await import('../../../workers/runs/start-run.ts');
      const { ensureWorker } = await import('../../../workers/background-worker.ts');
      const started = await startRun(session, prepared, image);
      const webUi = session.webUi(started.workflow_id);
      output.progress(`Run ${started.run_id} started${webUi === null ? '' : `: ${webUi}`}`);
      await ensureWorker(session);
      if (options.detach) {
        const next = `"signalbox run watch ${started.run_id}" shows it`;
        const { result } = runOutcome(context, session, started);
        return { result, text: `run ${started.run_id} is started (${started.workflow_id}); ${next}` };
      }
      return await attach(context, session, started.run_id, { stopOnInterrupt: options.stop, keepWorker: true });
    });
  },
});

/** What the run's steps are to run in, built or pulled if need be; `null` on the host. */
async function imageOf({ output, env, interrupted }: Context, prepared: PreparedRun): Promise<RunImage | null> {
  const { project, manifest } = prepared;
  if (manifest.backend !== 'docker') return null;
  const { prepareImage } = await import('../../../workers/sandbox-image.ts');
  return await showImageProgress(output, { verbose: false }, (progress) =>
    prepareImage({ ...progress, project, config: manifest.config, env, signal: interrupted }),
  );
}
