import type Docker from 'dockerode';
import { loadProject } from '../activities/catalogue/project.ts';
import type { Home } from '../activities/home.ts';
import { connectEngine, probeEngine } from '../activities/sandbox/engine.ts';
import { engineLimits, requireUser } from '../activities/sandbox/engine-demands.ts';
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
  const named = runtimeOf(directory, env);
  const missing: Finding[] =
    named === undefined || probe.runtimes.includes(named)
      ? []
      : [finding(named, 'error', 'the project names it, and the engine has none of that name', REGISTER)];
  const image = await workerImage(engine);
  if (image === null) {
    const untried = 'not tried: the image of steps is not built yet';
    return [...missing, ...probe.runtimes.map((name) => finding(name, 'ok', untried, null))];
  }
  const base = { home, image, user: requireUser(probe, undefined), limits: engineLimits(probe) };
  const tried = probe.runtimes.map(async (runtime) => {
    const bad = runtime === named ? 'error' : 'warn';
    try {
      const { problem, gateway } = await tryContainer(engine, { ...base, runtime });
      if (problem !== null) return finding(runtime, bad, `no step can run in it: ${problem}`, REPAIR);
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

/** The runtime that the project in a directory names. A project that cannot be read is told of elsewhere. */
function runtimeOf(directory: string, env: Parameters<typeof examineRuntimes>[2]): string | undefined {
  try {
    return loadProject(directory, { env }).config.sandbox.runtime;
  } catch {
    return undefined;
  }
}

/** The newest image that Signalbox built on the engine. */
async function workerImage(engine: Docker): Promise<string | null> {
  const images = await engine.listImages({ filters: { label: ['signalbox.inputs'] } });
  return images.toSorted((a, b) => b.Created - a.Created)[0]?.Id ?? null;
}
