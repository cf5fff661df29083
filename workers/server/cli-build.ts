import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';

import { execa } from 'execa';

import { CommandFailedError, SignalboxError, headAndTail } from '../../core/failures.ts';
import { PINNED_CLI_VERSION } from './cli-version.ts';

const MODULE = 'github.com/temporalio/cli';
/** Later versions carry a `replace` directive, which `go install` refuses. */
const PACKAGE = `${MODULE}/cmd/temporal@v${PINNED_CLI_VERSION}`;
const TIMEOUT = 20 * 60_000;

/** What {@link buildCli} needs. */
export interface CliBuild {
  /** The `go` command. */
  go: string;
  /** Where the executable is put, by rename. */
  target: string;
  env: Readonly<Record<string, string | undefined>>;
  onProgress: (text: string) => void;
}

/**
 * Builds the pinned CLI with Go's own module downloads; two to three minutes on two cores.
 *
 * @throws CommandFailedError when Go fails
 */
export async function buildCli({ go, target, env, onProgress }: CliBuild): Promise<void> {
  const draft = mkdtempSync(path.join(path.dirname(target), '.build-'));
  const args = ['install', '-ldflags', `-s -w -X ${MODULE}/temporalcli.Version=${PINNED_CLI_VERSION}`, PACKAGE];
  const command = `go install ${PACKAGE}`;
  onProgress(`Building the Temporal CLI with Go, once; this takes a few minutes: ${command}`);
  const began = Date.now();
  const ticking = setInterval(() => {
    onProgress(`Still building the Temporal CLI (${Math.round((Date.now() - began) / 1000)} s)`);
  }, 20_000);
  try {
    const result = await execa(go, args, {
      env: { ...env, GOBIN: draft, GOFLAGS: '', GOOS: undefined, GOARCH: undefined },
      extendEnv: false,
      cwd: draft,
      reject: false,
      timeout: TIMEOUT,
    });
    if (result.failed) {
      throw new CommandFailedError({
        command,
        exitCode: result.exitCode ?? null,
        signal: result.signal ?? null,
        stdout: headAndTail(result.stdout),
        stderr: headAndTail(result.stderr || (result.shortMessage ?? '')),
      });
    }
    renameSync(path.join(draft, 'temporal'), target);
    onProgress(`The Temporal CLI is built (${Math.round((Date.now() - began) / 1000)} s)`);
  } catch (error) {
    if (error instanceof SignalboxError) throw error;
    throw new SignalboxError('environment', `the Temporal CLI cannot be built: ${String(error)}`, { cause: error });
  } finally {
    clearInterval(ticking);
    rmSync(draft, { recursive: true, force: true });
  }
}
