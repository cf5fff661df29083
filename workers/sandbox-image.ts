import { setTimeout as sleep } from 'node:timers/promises';
import type { Project } from '../activities/catalogue/project.ts';
import { homeOf } from '../activities/home.ts';
import { environmentRedactor } from '../activities/redaction/environment-secrets.ts';
import { projectSecrets } from '../activities/redaction/project-secrets.ts';
import { requireUser } from '../activities/sandbox/engine-demands.ts';
import { connectEngine, probeEngine } from '../activities/sandbox/engine.ts';
import { examineImage, unfitImage } from '../activities/sandbox/examine-image.ts';
import type { ImageProblem } from '../activities/sandbox/image-needs.ts';
import type { ImageProgress } from '../activities/sandbox/image-progress.ts';
import { ensureProjectImage } from '../activities/sandbox/project-image.ts';
import type { Config } from '../core/config.ts';
import { SignalboxError } from '../core/failures.ts';
import type { RunImage } from '../core/run-image.ts';

export type { ImageProgress, ImageProblem };

type Env = Readonly<Record<string, string | undefined>>;

/** How long an interrupted build is given to remove what it made, milliseconds. */
const CLEANS_WITHIN_MS = 3000;

/** What {@link makeImage} needs. */
export interface ImageRequest extends ImageProgress {
  project: Pick<Project, 'repository'>;
  config: Config;
  env: Env;
  /** Look for newer images first. */
  refresh?: boolean;
  /** Aborting it gives up the waiting. */
  signal: AbortSignal;
}

/** The image of a project's steps, and what it lacks. */
export interface MadeImage {
  image: RunImage;
  /** Whether this call built it. */
  built: boolean;
  /** The worst first. */
  problems: ImageProblem[];
}

/**
 * Builds or pulls the image that a project's steps run in, unless the engine has it, and looks at whether they can.
 *
 * @param looks whether to look: half a second
 * @throws SignalboxError `environment` if it cannot be had, `config` for a Dockerfile that is not there; the signal's reason
 */
export async function makeImage(request: ImageRequest, looks = true): Promise<MadeImage> {
  const { project, config, env, refresh = false, signal } = request;
  const home = homeOf(env);
  const engine = connectEngine(env);
  const probe = await probeEngine(engine);
  if (!probe.available) throw new SignalboxError('environment', probe.reason, { hint: probe.hint });
  const { repository } = project;
  const progress = cleanProgress(request, config, env);
  const making = (async (): Promise<MadeImage> => {
    const { built, ...found } = await ensureProjectImage({ engine, config, repository, refresh, ...progress });
    const { reference, id, digest } = found;
    const user = requireUser(probe, config.sandbox.user);
    const problems = looks ? await examineImage({ engine, home, id, user, config }) : [];
    return { image: { reference, id, digest }, built, problems };
  })();
  const aborted = new Promise<never>((_, reject) => {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- a signal's reason is what it is
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  try {
    return await Promise.race([making, aborted]);
  } finally {
    // Ctrl+C ends the tools as well; what they made is then removed.
    if (signal.aborted) await Promise.race([making.catch(() => undefined), sleep(CLEANS_WITHIN_MS)]);
  }
}

/**
 * The image that a run's steps are to run in, made before it starts: its worker would do so in silence. What is found is
 * what the run is pinned to.
 *
 * @throws SignalboxError `environment` if steps cannot work in it, with everything that it lacks; what {@link makeImage} throws
 */
export async function prepareImage(request: ImageRequest): Promise<RunImage> {
  const { image: named, dockerfile, build_args: args } = request.config.sandbox;
  // Signalbox's own image looks at itself when it is built.
  const { image, problems } = await makeImage(
    request,
    [named, dockerfile, args].some((set) => set !== undefined),
  );
  const errors = problems.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw unfitImage(image, errors);
  for (const { message } of problems) request.onProgress?.(`The image ${image.reference}: ${message}`);
  return image;
}

/** What is said of the making of an image, without secrets: a Dockerfile may print what it likes. */
function cleanProgress(progress: ImageProgress, config: Config, env: Env): ImageProgress {
  const redactor = environmentRedactor(env);
  redactor.learn(projectSecrets(config, env));
  const { onProgress = () => undefined, onDetail = () => undefined } = progress;
  return {
    onProgress: (line) => onProgress(redactor.text(line)),
    onDetail: (line, passing) => onDetail(redactor.text(line), passing),
  };
}
