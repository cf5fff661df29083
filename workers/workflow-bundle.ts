import { bundleWorkflowCode, type WorkflowBundleOption } from '@temporalio/worker';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { packageRoot } from '../activities/package-root.ts';
import { cacheDirectory } from '../activities/home.ts';
import { failureConverterPath } from './data-converters.ts';

/** What a bundle of the workflows is made for. */
export interface BundleOptions {
  /** With the messages of failures in payloads, to be encrypted. */
  encrypts?: boolean;
}

/**
 * The workflows' code for a worker. An installed package brings it; in a checkout it is bundled when its sources changed,
 * and kept, since a bundler in the worker's process costs a hundred megabytes.
 */
export async function workflowBundle(
  env: Readonly<Record<string, string | undefined>>,
  { encrypts = false }: BundleOptions = {},
): Promise<Extract<WorkflowBundleOption, { codePath: string }>> {
  const root = packageRoot();
  const suffix = encrypts ? '-encrypting' : '';
  const shipped = path.join(root, 'dist', `workflow-bundle${suffix}.js`);
  if (!existsSync(path.join(root, 'workflows'))) return { codePath: shipped };
  const kept = path.join(cacheDirectory(env), 'workflow-bundles', `${sourcesDigest(root)}${suffix}.js`);
  if (!existsSync(kept)) {
    const { code } = await bundleWorkflows({ encrypts });
    const draft = `${kept}.${randomUUID()}`;
    mkdirSync(path.dirname(kept), { recursive: true, mode: 0o700 });
    writeFileSync(draft, code, { mode: 0o600 });
    renameSync(draft, kept);
  }
  return { codePath: kept };
}

/** Bundles the workflows of this checkout. */
export async function bundleWorkflows({ encrypts = false }: BundleOptions = {}): Promise<{ code: string }> {
  return await bundleWorkflowCode({
    ...(encrypts ? { failureConverterPath: failureConverterPath() } : {}),
    workflowsPath: path.join(packageRoot(), 'workflows', 'index.ts'),
    webpackConfigHook: (config) => {
      for (const rule of config.module?.rules ?? []) compileForToday(rule);
      return config;
    },
    logger: { log: ignore, trace: ignore, debug: ignore, info: ignore, warn: ignore, error: console.error },
  });
}

const compilerRule = z.looseObject({
  use: z.looseObject({ options: z.looseObject({ jsc: z.custom<{ target: string }>(isObject) }) }),
});

/** The SDK has workflows compiled for old engines: copies of objects, of which the rules make many, take many times as long. */
function compileForToday(rule: unknown): void {
  const compiler = compilerRule.safeParse(rule).data?.use.options.jsc;
  if (compiler !== undefined) compiler.target = 'es2022';
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

function ignore(): void {
  // A bundle that works is no news.
}

function sourcesDigest(root: string): string {
  const hash = createHash('sha256');
  for (const folder of ['core', 'workflows']) {
    for (const name of readdirSync(path.join(root, folder)).sort()) {
      hash.update(`${folder}/${name}\0`).update(readFileSync(path.join(root, folder, name)));
    }
  }
  hash.update(readFileSync(path.join(root, 'package-lock.json')));
  return hash.digest('hex').slice(0, 24);
}
