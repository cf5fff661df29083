import { createHash } from 'node:crypto';
import { arch, platform, release } from 'node:os';
import type { RunManifest } from '../../core/run-manifest.ts';
import type { Check } from './run-checks.ts';

/**
 * Digest of all that the verdict on a tree depends on besides the tree, as the configuration says it: what is run, in which
 * sandbox, and in exactly which image. Values of environment variables are not part of it, so that it can be told to anybody.
 */
export function definitionDigest({ backend, image, config }: RunManifest, checks: readonly Check[]): string {
  const { env, ...sandbox } = config.sandbox;
  const { timeout, bootstrap } = config.checks;
  const commands = checks.map((check) => check.command);
  return digestOf([backend, image?.id ?? null, sandbox, [...env].sort(), timeout, bootstrap ?? null, commands]);
}

/**
 * The same with what only this host knows: the values of the variables that `sandbox.env` lists, and, where checks run on
 * the host itself, what kind of host it is. For keys of what is kept here.
 */
export function definitionKey(
  manifest: RunManifest,
  checks: readonly Check[],
  env: Readonly<Record<string, string | undefined>>,
): string {
  const values = [...manifest.config.sandbox.env].sort().map((name) => env[name] ?? null);
  const host = manifest.backend === 'local' ? [platform(), arch(), release(), env['PATH'] ?? ''] : [];
  return digestOf([definitionDigest(manifest, checks), values, host]);
}

function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
