import { existsSync } from 'node:fs';
import path from 'node:path';

import { cacheDirectory, makePrivateDirectory } from '../../activities/home.ts';
import { withProcessLock } from '../../activities/process-lock.ts';
import { SignalboxError } from '../../core/failures.ts';
import { buildCli } from './cli-build.ts';
import { type CliArchive, downloadCli, pinnedArchive } from './cli-download.ts';
import { type CliVersion, isUsableCli, PINNED_CLI_VERSION, readCliVersion } from './cli-version.ts';

/** A `temporal` executable that will do. */
export interface TemporalCli {
  path: string;
  version: CliVersion;
}

/** What finding the CLI depends on. */
export interface TemporalCliOptions {
  /** `SIGNALBOX_TEMPORAL_CLI` names an executable to use instead of looking for one. */
  env: Readonly<Record<string, string | undefined>>;
  onProgress: (text: string) => void;
  /** The archive to download; by default the pinned version for this machine; `null` downloads nothing. */
  archive?: CliArchive | null;
}

/**
 * The `temporal` CLI: the one that the environment names, else one on the path, else one that was downloaded or built
 * before; else it is downloaded, and where that is not possible built with Go. However many processes ask at once, one
 * does the work.
 *
 * @throws SignalboxError `environment` when there is no way to get one, with all that was tried
 */
export async function findTemporalCli(options: TemporalCliOptions): Promise<TemporalCli> {
  const { env, onProgress } = options;
  const known = await knownTemporalCli(env);
  if (known !== null) return known;
  const target = cachedCli(env);
  makePrivateDirectory(path.dirname(target));
  return await withProcessLock(
    path.join(path.dirname(target), 'lock'),
    async () => (await usable(target, env)) ?? (await obtain(target, options)),
    { onWait: () => onProgress('Waiting for another process that is fetching the Temporal CLI') },
  );
}

/**
 * The `temporal` CLI that {@link findTemporalCli} would return without fetching one; `null` when it would have to.
 *
 * @throws SignalboxError `environment` when the one that the environment names will not do
 */
export async function knownTemporalCli(env: TemporalCliOptions['env']): Promise<TemporalCli | null> {
  const named = env['SIGNALBOX_TEMPORAL_CLI'];
  if (named) return await namedCli(named, env);
  const onPath = findOnPath('temporal', env);
  return (onPath === null ? null : await usable(onPath, env)) ?? (await usable(cachedCli(env), env));
}

async function obtain(target: string, options: TemporalCliOptions): Promise<TemporalCli> {
  const { env, onProgress } = options;
  const tried = [await pathProblem(env)];
  const archive = options.archive === undefined ? pinnedArchive(process.platform, process.arch) : options.archive;
  if (archive === null) {
    tried.push(`no archive is published for ${process.platform} ${process.arch}`);
  } else {
    onProgress(`Downloading the Temporal CLI ${PINNED_CLI_VERSION}`);
    try {
      await downloadCli(archive, target);
      const downloaded = await usable(target, env);
      if (downloaded !== null) return downloaded;
      tried.push('the downloaded executable does not run here');
    } catch (error) {
      if (!(error instanceof SignalboxError)) throw error;
      tried.push(error.message);
    }
  }

  const go = findOnPath('go', env) ?? (existsSync('/usr/local/go/bin/go') ? '/usr/local/go/bin/go' : null);
  if (go === null) {
    tried.push('no `go` to build it with');
  } else {
    onProgress(tried.at(-1) ?? '');
    try {
      await buildCli({ go, target, env, onProgress });
      const built = await usable(target, env);
      if (built !== null) return built;
      tried.push('the built executable does not run here');
    } catch (error) {
      if (!(error instanceof SignalboxError)) throw error;
      tried.push(error.message);
    }
  }
  throw new SignalboxError('environment', `the Temporal CLI is not available: ${tried.join('; ')}`, {
    hint: 'Install it (https://docs.temporal.io/cli) or Go, or set TEMPORAL_ADDRESS to a Temporal server that runs.',
  });
}

function cachedCli(env: TemporalCliOptions['env']): string {
  return path.join(cacheDirectory(env), `temporal-${PINNED_CLI_VERSION}`, 'temporal');
}

async function pathProblem(env: TemporalCliOptions['env']): Promise<string> {
  const onPath = findOnPath('temporal', env);
  if (onPath === null) return 'no `temporal` on the path';
  const version = await readCliVersion(onPath, env);
  return `${onPath} is ${version === null ? 'not usable' : `too old (${version.cli})`}`;
}

async function namedCli(file: string, env: TemporalCliOptions['env']): Promise<TemporalCli> {
  const version = await readCliVersion(file, env);
  if (version !== null && isUsableCli(version)) return { path: path.resolve(file), version };
  const problem = version === null ? 'no Temporal CLI that runs' : `version ${version.cli}, which is too old`;
  throw new SignalboxError('environment', `SIGNALBOX_TEMPORAL_CLI names ${file}: ${problem}`);
}

async function usable(file: string, env: TemporalCliOptions['env']): Promise<TemporalCli | null> {
  if (!existsSync(file)) return null;
  const version = await readCliVersion(file, env);
  return version !== null && isUsableCli(version) ? { path: file, version } : null;
}

function findOnPath(name: string, env: TemporalCliOptions['env']): string | null {
  for (const directory of (env['PATH'] ?? '').split(path.delimiter)) {
    if (directory !== '' && path.isAbsolute(directory) && existsSync(path.join(directory, name))) {
      return path.join(directory, name);
    }
  }
  return null;
}
