import { randomUUID } from 'node:crypto';
import { copyFileSync, existsSync } from 'node:fs';
import path from 'node:path';
import type Docker from 'dockerode';
import { ensureImage } from '../../activities/sandbox/image.ts';
import { containerName, sidecarName } from '../../activities/sandbox/labels.ts';
import type { Config } from '../../core/config.ts';
import { assertion, exactly, type Assertion } from './assertion.ts';
import { INSIDE_SCRIPT, judgeInside, planInside } from './inside.ts';
import { judgeContainer, judgeSidecar, judgeStep } from './outside.ts';
import { makeAuditWorld, readFindings, until, type AuditWorld } from './world.ts';

/** The task whose agent looks around. */
const TASK = 'T-1';

/** What is audited. */
export interface AuditOptions {
  engine: Docker;
  /** What it loosens fails. */
  config: Config;
}

/**
 * Starts an agent's step as a run would, beside another task's, and looks at it: what the engine says of its container and
 * its sidecar, and what comes of trying all that it must not be able to do.
 *
 * @throws SignalboxError if no step can be started at all
 */
export async function runAudit({ engine, config }: AuditOptions): Promise<Assertion[]> {
  const image = (await ensureImage({ engine })).reference;
  const mark = `signalbox-audit-mark-${randomUUID()}`;
  const world = await makeAuditWorld({ config, engine, image, mark });
  try {
    return await auditStep(world, engine, mark);
  } finally {
    await world.close();
  }
}

async function auditStep(world: AuditWorld, engine: Docker, mark: string): Promise<Assertion[]> {
  const { home } = world;
  const neighbour = await engine.getContainer(containerName(home, world.neighbour.step)).inspect();
  const processes: [string, number][] = [
    ['the worker', process.pid],
    ['the gateway', world.gateway.pid],
    ['the other task’s agent', neighbour.State.Pid],
  ];
  const plan = planInside(world, TASK, mark, processes);
  const turn = world.turn(TASK, 'exec perl inside.pl', plan.prompt, (workTree) =>
    copyFileSync(INSIDE_SCRIPT, path.join(workTree, 'inside.pl')),
  );
  await until(() => existsSync(path.join(turn.workTree, 'audit.tsv')), turn.result);
  const step = await engine.getContainer(containerName(home, turn.step)).inspect();
  const sidecar = await engine.getContainer(sidecarName(home, turn.owner)).inspect();
  return [
    ...judgeContainer('step', step, exactly(`container:${sidecar.Id}`), world),
    ...judgeStep(step, turn, world),
    ...judgeContainer('sidecar', sidecar, exactly('none'), world),
    ...judgeSidecar(sidecar, world),
    ...judgeInside(world, plan.rules, readFindings(turn.workTree)),
    assertion('network', 'what came to services of this host', exactly('0'), String(world.touches())),
  ];
}
