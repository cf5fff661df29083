import type Docker from 'dockerode';
import { loadProject, type Project } from '../activities/catalogue/project.ts';
import type { Home } from '../activities/home.ts';
import { connectEngine, probeEngine } from '../activities/sandbox/engine.ts';
import { engineLimits, requireUser } from '../activities/sandbox/engine-demands.ts';
import { WORKER_TAGS } from '../activities/sandbox/image.ts';
import { findProjectImage } from '../activities/sandbox/project-image.ts';
import { tryContainer } from '../activities/sandbox/try-container.ts';
import type { Finding } from './doctor.ts';
import { GATEWAY_HINT } from './sandbox-trial.ts';

/**
 * Which OCI runtimes the engine has, and whether steps run in them: each is tried with a real container. The one that the
 * project names has to work; the others may not. Nothing where no engine answers.
 */
export async function examineRuntimes(
  directory: string,
  home: Home,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Finding[]> {
  const engine = connectEngine(env);
  const probe = await probeEngine(engine);
  if (!probe.available) return [];
  const project = projectIn(directory, env);
  const named = project?.config.sandbox.runtime;
  const missing: Finding[] =
    named === undefined || probe.runtimes.includes(named)
      ? []
      : [finding(named, 'error', 'the project names it, and the engine has none of that name', REGISTER)];
  const image = (await workerImage(engine)) ?? (await projectImage(engine, project));
  if (image === null) {
    const untried = 'not tried: the image of steps is not built yet';
    return [...missing, ...probe.runtimes.map((name) => finding(name, 'ok', untried, null))];
  }
  const network = project?.config.sandbox.network ?? 'gateway';
  const base = { home, image, network, user: requireUser(probe, undefined), limits: engineLimits(probe) };
  const tried = probe.runtimes.map(async (runtime) => {
    const bad = runtime === named ? 'error' : 'warn';
    try {
      const { problem, gateway } = await tryContainer(engine, { ...base, runtime });
      if (problem !== null) return finding(runtime, bad, `no step can run in it: ${problem}`, REPAIR);
      if (network !== 'gateway') return finding(runtime, 'ok', 'steps run in it', null);
      if (gateway) return finding(runtime, 'ok', 'steps run in it, and reach the gateway', null);
      return finding(runtime, bad, 'steps run in it, but do not reach the gateway', `Mend it: ${GATEWAY_HINT}.`);
    } catch (error) {
      return finding(runtime, bad, error instanceof Error ? error.message : String(error), null);
    }
  });
  return [...missing, ...(await Promise.all(tried))];
}

const REGISTER = 'Install it, name it under "runtimes" in the engine’s daemon.json, and restart the engine.';
const REPAIR = 'Mend it, or take it out of the engine’s daemon.json; steps run in sandbox.runtime, by default runc.';

function finding(runtime: string, status: Finding['status'], message: string, hint: string | null): Finding {
  return { name: `runtime ${runtime}`, status, message, hint };
}

/** The project in a directory. One that cannot be read is told of elsewhere. */
function projectIn(directory: string, env: Parameters<typeof examineRuntimes>[2]): Project | null {
  try {
    return loadProject(directory, { env });
  } catch {
    return null;
  }
}

/** The newest image of its own that Signalbox built on the engine: it has all that is needed to try a runtime. */
async function workerImage(engine: Docker): Promise<string | null> {
  const images = await engine.listImages({ filters: { reference: [WORKER_TAGS.replace(/:$/, '')] } });
  return images.toSorted((a, b) => b.Created - a.Created)[0]?.Id ?? null;
}

/** The image that the project's steps run in, if the engine has it. What is wrong with it is told elsewhere. */
async function projectImage(engine: Docker, project: Project | null): Promise<string | null> {
  if (project === null) return null;
  const { config, repository } = project;
  return (await findProjectImage({ engine, config, repository }).catch(() => null))?.id ?? null;
}
