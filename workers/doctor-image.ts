import { loadProject } from '../activities/catalogue/project.ts';
import { homeOf } from '../activities/home.ts';
import { requireUser } from '../activities/sandbox/engine-demands.ts';
import { connectEngine, probeEngine } from '../activities/sandbox/engine.ts';
import { examineImage } from '../activities/sandbox/examine-image.ts';
import { findProjectImage } from '../activities/sandbox/project-image.ts';
import type { Finding } from './doctor.ts';

/** Looks at the image that the steps of the project in `directory` would run in. Builds and pulls nothing. */
export async function examineProjectImage(
  directory: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Finding[]> {
  const engine = connectEngine(env);
  const probe = await probeEngine(engine);
  if (!probe.available) return [];
  let project: ReturnType<typeof loadProject>;
  try {
    project = loadProject(directory, { env });
  } catch {
    // What is wrong with the project is told elsewhere.
    return [];
  }
  const { config, repository } = project;
  if (config.sandbox.backend === 'local') return [];
  try {
    const image = await findProjectImage({ engine, config, repository });
    if (image === null) {
      const { image: named, dockerfile } = config.sandbox;
      const what = named ?? dockerfile ?? 'the image of steps';
      const next = named === undefined ? 'builds' : 'pulls';
      return [finding('ok', `${what} is not there yet; "signalbox image build" or "run start" ${next} it`, null)];
    }
    const user = requireUser(probe, config.sandbox.user);
    const problems = await examineImage({ engine, home: homeOf(env), id: image.id, user, config });
    if (problems.length === 0) return [finding('ok', `${image.reference} has all that steps need`, null)];
    return problems.map(({ severity, message, hint }) =>
      finding(severity === 'error' ? 'error' : 'warn', `${image.reference}: ${message}`, hint),
    );
  } catch (failure) {
    return [finding('error', failure instanceof Error ? failure.message : String(failure), null)];
  }
}

function finding(status: Finding['status'], message: string, hint: string | null): Finding {
  return { name: 'image', status, message, hint };
}
