import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { StepOwner } from '../../core/ids.ts';
import { stepName } from '../../core/ids.ts';
import type { Home } from '../home.ts';

const labelSchema = z.object({
  'signalbox.project': z.string(),
  'signalbox.run': z.string(),
  'signalbox.task': z.string(),
  'signalbox.attempt': z.coerce.number(),
  'signalbox.step': z.string(),
  'signalbox.execution': z.string(),
});

/** The labels that every container of an attempt carries. The home tells apart the Signalboxes of one engine. */
export function ownerLabels(home: Home, owner: StepOwner): Record<string, string> {
  return {
    'signalbox.home': home.root,
    'signalbox.project': owner.project,
    'signalbox.run': owner.run,
    'signalbox.task': owner.task,
    'signalbox.attempt': String(owner.attempt),
  };
}

/** A filter of the engine's list of containers that finds exactly those with these labels. */
export function labelFilter(labels: Readonly<Record<string, string>>): { label: string[] } {
  return { label: Object.entries(labels).map(([name, value]) => `${name}=${value}`) };
}

/** The step that a container's labels name, or `null` if it is none. */
export function stepOfLabels(labels: unknown): { name: string; owner: StepOwner; execution: string } | null {
  const parsed = labelSchema.safeParse(labels);
  if (!parsed.success) return null;
  const { 'signalbox.step': name, 'signalbox.execution': execution } = parsed.data;
  const { 'signalbox.project': project, 'signalbox.run': run } = parsed.data;
  const { 'signalbox.task': task, 'signalbox.attempt': attempt } = parsed.data;
  return { name, execution, owner: { project, run, task, attempt } };
}

/** What tells apart the homes of one engine in names, where their paths would be too long. */
export function homeMark(home: Home): string {
  return createHash('sha256').update(home.root).digest('hex').slice(0, 8);
}

/** The name of a step's container. */
export function containerName(home: Home, step: string): string {
  return `signalbox-${homeMark(home)}-${step}`;
}

/** The name of the container that carries the network of an attempt's agents. */
export function sidecarName(home: Home, owner: StepOwner): string {
  return containerName(home, stepName(owner, 'gateway.sidecar'));
}

/** The name of the container that carries the network of one step alone. */
export function stepSidecarName(home: Home, step: string): string {
  return containerName(home, `${step}.sidecar`);
}
