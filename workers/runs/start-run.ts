import path from 'node:path';
import { existsSync } from 'node:fs';
import { BareRepository } from '../../activities/git/bare-repository.ts';
import { ArtefactStore } from '../../activities/records/artefact-store.ts';
import type { RunDescription } from '../../core/description.ts';
import { loosenings } from '../../core/loosened.ts';
import { describeRun } from '../../core/run-description.ts';
import { runSettings } from '../../core/run-settings.ts';
import type { RunImage } from '../../core/run-image.ts';
import type { RunRef } from '../../core/run-ref.ts';
import { reduceRun } from '../../core/reduce-run.ts';
import { initialRunState, type RunSettings } from '../../core/run-state.ts';
import type { Session } from '../session.ts';
import { catalogueNews } from './catalogue-news.ts';
import type { PreparedRun } from './prepare-run.ts';
import { pinRunImage } from '../run-image-pins.ts';
import { repositoryRef } from './repository-ref.ts';
import { listRuns } from './run-list.ts';
import { cut, runIdTaken, startRunWorkflow } from './start-workflow.ts';

/** The server's limit for details, in bytes. */
const DETAILS_LIMIT = 20_000;

/**
 * Pins a prepared run's configuration, tasks and image, and starts its workflow. Work on it begins when a worker polls.
 *
 * @param image what its steps run in; `null` on the host
 * @returns the run as it is at its start
 * @throws SignalboxError `usage` if the run id was used before
 */
export async function startRun(
  session: Session,
  prepared: PreparedRun,
  image: RunImage | null,
): Promise<RunDescription> {
  const { project, runId, baseCommit } = prepared;
  const manifest = { ...prepared.manifest, image };
  const { home } = session;
  const { config } = manifest;
  const repository = repositoryRef(home, project, prepared.user);
  const others = (await listRuns(session.client, config.project)).map((other) => other.run_id);
  // Refs and directories of two ids that differ only in case would meet on some file systems.
  if (others.some((other) => other.toLowerCase() === runId.toLowerCase())) throw runIdTaken(runId);
  await requireUnusedRefs(path.join(home.repositories, `${repository.id}.git`), runId);
  const run: RunRef = {
    project: config.project,
    run: runId,
    repository,
    manifest: await new ArtefactStore(home.artefacts).put(manifest),
  };
  const [newest] = others;
  const news = newest === undefined ? null : await catalogueNews(session, newest, manifest);
  if (news !== null) session.onProgress(news);
  const loosened = [...loosenings(manifest), ...prepared.unprotected];
  const sandbox = { backend: manifest.backend, loosened };
  const settings: RunSettings = { ...runSettings(config), maxParallel: prepared.maxParallel, sandbox };
  const startedAt = Date.now();
  const pinned = image === null ? {} : { image };
  await startRunWorkflow(session, {
    input: { version: 1, run, settings, baseCommit, startedAt, ...pinned },
    state: null,
    tasks: manifest.tasks.length,
    details: detailsOf(prepared, project.root, image, loosened),
    next: false,
  });
  if (image !== null) await pinRunImage(session, run, image);
  const views = Object.fromEntries(prepared.order.map((view) => [view.id, view]));
  const loaded = { type: 'loaded', at: startedAt, tasks: prepared.order, last: true } as const;
  const state = reduceRun(initialRunState(settings, baseCommit), loaded, views);
  return describeRun(state, views, { run, baseCommit, startedAt, endedAt: null, ...pinned });
}

/** A run's refs outlive the server's memory of its workflow; a second run of that name would mix with them. */
async function requireUnusedRefs(gitDir: string, runId: string): Promise<void> {
  if (!existsSync(gitDir)) return;
  const bare = await BareRepository.open(gitDir);
  if (bare.listRefs(`refs/signalbox/${runId}/`).size > 0) throw runIdTaken(runId);
}

function detailsOf(
  { manifest, runId, baseCommit }: PreparedRun,
  root: string,
  image: RunImage | null,
  loosened: readonly string[],
): string {
  const { config, tasks, backend } = manifest;
  const rows = tasks.map(({ manifest: task }) => {
    const after = task.depends_on.length === 0 ? '' : ` (after ${task.depends_on.join(', ')})`;
    const what = task.description === undefined ? '' : `: ${task.description.replace(/\s+/g, ' ')}`;
    return `- \`${task.id}\` **${task.name}**${after}${what}`;
  });
  const head = `Run \`${runId}\` of project \`${config.project}\` in \`${root}\`, into \`${config.repository.integration_branch}\` at \`${baseCommit.slice(0, 10)}\`. Agent: ${config.agent.provider}; backend: ${backend}${image === null ? '' : `, image \`${image.reference}\` (\`${image.digest ?? image.id}\`)`}.`;
  const rest = loosened.map((line) => `- ${line}`);
  const sandbox = rest.length === 0 ? [] : ['', 'Its sandbox is looser than the default one:', '', ...rest];
  return cut([head, ...sandbox, '', ...rows].join('\n'), DETAILS_LIMIT);
}
