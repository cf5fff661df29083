import { createHash } from 'node:crypto';
import { createWriteStream, mkdtempSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type ReadableStream } from 'node:stream/web';

import { execa } from 'execa';

import { SignalboxError } from '../../core/failures.ts';
import { PINNED_CLI_VERSION } from './cli-version.ts';

/** A published archive of the CLI. */
export interface CliArchive {
  url: string;
  /** SHA-256 of the archive, lower-case hexadecimal. */
  sha256: string;
}

/** The checksums that Temporal published with the pinned version. */
const CHECKSUMS: Readonly<Record<string, string>> = {
  linux_amd64: 'ddc95e08b0b076efd4ea9733a3f488eb7d2be875f8834e616cd2a37358b4852d',
  linux_arm64: 'bd1b0db9f18b051026de8bf6cc1505f2510f14bbb7a8b9a4a91fff46c77454f5',
  darwin_amd64: 'bbb73e2a31135abe50a1f1cdb35030c42961df618e8ce9c60ae89f201540c5d9',
  darwin_arm64: 'cca01b7ea35ad56e2a328d9ae596bf716bd22313ef63c7a761c88354457c2415',
};

/** The archive for a machine, named as Node names them (`linux`, `x64`), or `null` where none is published. */
export function pinnedArchive(platform: string, arch: string): CliArchive | null {
  const name = `${platform}_${arch === 'x64' ? 'amd64' : arch}`;
  const sha256 = CHECKSUMS[name];
  if (sha256 === undefined) return null;
  const release = `https://github.com/temporalio/cli/releases/download/v${PINNED_CLI_VERSION}`;
  return { url: `${release}/temporal_cli_${PINNED_CLI_VERSION}_${name}.tar.gz`, sha256 };
}

/**
 * Downloads an archive, compares its checksum, and puts the executable `temporal` of it at `target` by rename.
 *
 * @param stallTimeout milliseconds without a byte after which it gives up
 * @throws SignalboxError `environment` when it cannot be had or is not what was published
 */
export async function downloadCli(archive: CliArchive, target: string, stallTimeout = 10_000): Promise<void> {
  const draft = mkdtempSync(path.join(path.dirname(target), '.download-'));
  try {
    const file = path.join(draft, 'archive.tar.gz');
    const sha256 = await fetchTo(archive.url, file, stallTimeout);
    if (sha256 !== archive.sha256) {
      throw new SignalboxError('environment', `${archive.url} has the SHA-256 ${sha256}, not ${archive.sha256}`);
    }
    await execa('tar', ['-xzf', file, '-C', draft, 'temporal']);
    renameSync(path.join(draft, 'temporal'), target);
  } catch (error) {
    if (error instanceof SignalboxError) throw error;
    throw new SignalboxError('environment', `${archive.url} cannot be downloaded: ${reasonOf(error)}`, {
      cause: error,
      retryable: true,
    });
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

async function fetchTo(url: string, file: string, stallTimeout: number): Promise<string> {
  const abort = new AbortController();
  const stalled = setTimeout(() => abort.abort(new Error(`no answer for ${stallTimeout / 1000} s`)), stallTimeout);
  try {
    const response = await fetch(url, { signal: abort.signal });
    if (!response.ok || response.body === null) throw new Error(`HTTP status ${response.status}`);
    const hash = createHash('sha256');
    const body = Readable.fromWeb(response.body as ReadableStream<Uint8Array>);
    body.on('data', (chunk: Buffer) => {
      hash.update(chunk);
      stalled.refresh();
    });
    await pipeline(body, createWriteStream(file));
    return hash.digest('hex');
  } finally {
    clearTimeout(stalled);
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
