import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { StepOwner } from '../../core/ids.ts';
import { stepName } from '../../core/ids.ts';
import type { Home } from '../home.ts';
import type { StepSpec } from './sandbox.ts';

const attemptSchema = z.object({
  'signalbox.project': z.string(),
  'signalbox.run': z.string(),
  'signalbox.task': z.string(),
  'signalbox.attempt': z.coerce.number(),
  'signalbox.execution': z.string(),
});

const stepSchema = z.object({ 'signalbox.step': z.string() });

/** The labels of everything that Signalbox makes for an attempt: who it is for, and the execution that may use it. */
export function attemptLabels(home: Home, spec: Pick<StepSpec, 'owner' | 'execution'>): Record<string, string> {
  return { ...ownerLabels(home, spec.owner), 'signalbox.execution': spec.execution };
}

/** The labels that everything of an attempt carries. The home tells apart the Signalboxes of one engine. */
export function ownerLabels(home: Home, owner: StepOwner): Record<string, string> {
  return {
    'signalbox.home': home.root,
    'signalbox.project': owner.project,
    'signalbox.run': owner.run,
    'signalbox.task': owner.task,
    'signalbox.attempt': String(owner.attempt),
  };
}

const PROBE = 'signalbox.probe';

/** The labels of a container that is of no attempt: one that finds something out, and goes at once. */
export function probeLabels(home: Home, what: 'layer' | 'trial' | 'image'): Record<string, string> {
  return { 'signalbox.home': home.root, [PROBE]: what };
}

/** Is it the container of a probe? */
export function isProbe(labels: Readonly<Record<string, string>>): boolean {
  return labels[PROBE] !== undefined;
}

/** A filter of the engine's list of containers that finds exactly those with these labels. */
export function labelFilter(labels: Readonly<Record<string, string>>): { label: string[] } {
  return { label: Object.entries(labels).map(([name, value]) => `${name}=${value}`) };
}

/** The label of a container that carries the network of one step alone. */
export function sidecarLabel(step: string): Record<string, string> {
  return { 'signalbox.sidecar': step };
}

/** The step without whose record nobody will use a container any more; `null` for what an attempt's steps share. */
export function recordOfLabels(labels: Readonly<Record<string, string>>): string | null {
  return labels['signalbox.step'] ?? labels['signalbox.sidecar'] ?? null;
}

/** Whose something is, by its labels; `null` if they do not say. */
export function attemptOfLabels(labels: unknown): { owner: StepOwner; execution: string } | null {
  const parsed = attemptSchema.safeParse(labels);
  if (!parsed.success) return null;
  const { 'signalbox.project': project, 'signalbox.run': run, 'signalbox.execution': execution } = parsed.data;
  const { 'signalbox.task': task, 'signalbox.attempt': attempt } = parsed.data;
  return { execution, owner: { project, run, task, attempt } };
}

/** The step that a container's labels name, or `null` if it is none. */
export function stepOfLabels(labels: unknown): { name: string; owner: StepOwner; execution: string } | null {
  const [attempt, step] = [attemptOfLabels(labels), stepSchema.safeParse(labels)];
  return attempt === null || !step.success ? null : { name: step.data['signalbox.step'], ...attempt };
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
