import { existsSync } from 'node:fs';
import path from 'node:path';
import type Docker from 'dockerode';
import type { Home } from '../home.ts';
import { answerOf, unlessStatus } from './engine.ts';
import { attemptOfLabels, isProbe, labelFilter, recordOfLabels, stepOfLabels } from './labels.ts';
import type { Remnant } from './sandbox.ts';
import { StepDirectory, stepNames } from './step-directory.ts';

/** A probe takes seconds; one that is older was left behind, in milliseconds. */
const LEFT_BEHIND = 600_000;

/** Whose a probe is that nobody waits for: no attempt's. */
const NOBODY = { owner: { project: '', run: '', task: '', attempt: 0 }, execution: '' };

/** A {@link Remnant}, whose `remove` ends no step yet. */
export interface DockerRemnant extends Remnant {
  /** The step that a container is; `null` for what steps share, and for volumes. */
  step: string | null;
}

/**
 * Whatever the engine has with a home's labels: containers in any state, and volumes that no container has any more, as
 * when somebody else removed it. (Layers are the only volumes, and nothing is in them: what was written lies with us.)
 * Signalbox makes no networks. Of probes, those that nobody waits for any more.
 */
export async function dockerRemnants(engine: Docker, home: Home, now = Date.now()): Promise<DockerRemnant[]> {
  const filters = labelFilter({ 'signalbox.home': home.root });
  const unended = unendedSteps(home);
  const containers = (await answerOf(engine.listContainers({ all: true, filters }))).flatMap(
    ({ Id, Names, Labels, Created }) => {
      const isLeftBehind = isProbe(Labels) && now - Created * 1000 > LEFT_BEHIND;
      const attempt = isLeftBehind ? NOBODY : attemptOfLabels(Labels);
      if (attempt === null) return [];
      const step = stepOfLabels(Labels)?.name ?? null;
      const record = recordOfLabels(Labels);
      const forgotten = isLeftBehind || (record !== null && !existsSync(path.join(home.steps, record)));
      const what = step === null ? `container ${(Names[0] ?? Id).replace(/^\//, '')}` : `step ${step}`;
      const remove = async (): Promise<void> => {
        await unlessStatus(engine.getContainer(Id).remove({ force: true, v: true }), 404, 409);
      };
      return [{ what, ...attempt, step, forgotten, remove }];
    },
  );
  const { Volumes } = await answerOf(engine.listVolumes({ filters: { ...filters, dangling: ['true'] } }));
  const volumes = Volumes.flatMap(({ Name, Labels }) => {
    const attempt = attemptOfLabels(Labels);
    if (attempt === null) return [];
    const remove = async (): Promise<void> => {
      // 409: a container has it again.
      await unlessStatus(engine.getVolume(Name).remove(), 404, 409);
    };
    return [{ what: `volume ${Name}`, ...attempt, step: null, forgotten: false, remove }];
  });
  const gone = unended.filter(({ step }) => !containers.some((container) => container.step === step));
  const [steps, shared] = [true, false].map((isStep) => containers.filter(({ step }) => (step !== null) === isStep));
  return [...gone, ...(steps ?? []), ...(shared ?? []), ...volumes];
}

/** Steps that were given a container and whose end is not recorded. */
function unendedSteps(home: Home): DockerRemnant[] {
  return stepNames(home.steps).flatMap((name) => {
    const directory = new StepDirectory(home.steps, name);
    const input = directory.has('once') && !directory.has('exit') ? directory.input() : null;
    if (input === null) return [];
    const { owner, execution } = input;
    return [{ what: `step ${name}`, owner, execution, step: name, forgotten: false, remove: () => Promise.resolve() }];
  });
}
