import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';

import { type CliArchive } from '../../../workers/server/cli-download.ts';
import { findTemporalCli, knownTemporalCli, type TemporalCli } from '../../../workers/server/temporal-cli.ts';

const CURRENT = 'temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)';

let directory: string;
let progress: string[];
let server: Server | null;
let requests: number;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'signalbox-cli-'));
  progress = [];
  server = null;
  requests = 0;
});

afterEach(async () => {
  await new Promise<void>((resolve) => (server === null ? resolve() : server.close(() => resolve())));
  rmSync(directory, { recursive: true, force: true });
});

/** Only the tools of the system, so that neither `temporal` nor `go` of this machine is found. */
function env(more: Record<string, string> = {}): Record<string, string> {
  const tools = path.join(directory, 'tools');
  mkdirSync(tools, { recursive: true });
  return { HOME: directory, SIGNALBOX_CACHE: path.join(directory, 'cache'), PATH: `${tools}:/usr/bin:/bin`, ...more };
}

function script(file: string, output: string): string {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/sh\necho '${output}'\n`);
  chmodSync(file, 0o755);
  return file;
}

function find(archive: CliArchive | null, variables = env()): Promise<TemporalCli> {
  return findTemporalCli({ env: variables, archive, onProgress: (text) => void progress.push(text) });
}

async function publish(output = CURRENT): Promise<CliArchive> {
  script(path.join(directory, 'published', 'temporal'), output);
  const file = path.join(directory, 'temporal.tar.gz');
  await execa('tar', ['-czf', file, '-C', path.join(directory, 'published'), 'temporal']);
  const archive = readFileSync(file);
  const listening = createServer((_request, response) => {
    requests += 1;
    response.end(archive);
  });
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const address = listening.address();
  if (typeof address !== 'object' || address === null) throw new Error('not listening');
  return {
    url: `http://127.0.0.1:${address.port}/temporal.tar.gz`,
    sha256: createHash('sha256').update(archive).digest('hex'),
  };
}

describe('finding the temporal CLI', () => {
  test('one on the path that is new enough is used as it is', async () => {
    const file = script(path.join(directory, 'tools', 'temporal'), CURRENT);
    expect(await find(null)).toEqual({ path: file, version: { cli: '1.5.1', server: '1.29.1' } });
    expect(await knownTemporalCli(env())).toMatchObject({ path: file });
  });

  test('where there is none, the archive is downloaded once, however many ask at once, and then kept', async () => {
    const archive = await publish();
    expect(await knownTemporalCli(env())).toBeNull();
    const found = await Promise.all([find(archive), find(archive), find(archive)]);
    const kept = path.join(directory, 'cache', 'temporal-1.5.1', 'temporal');
    expect(found.map((cli) => cli.path)).toEqual([kept, kept, kept]);
    expect(await find(archive)).toMatchObject({ path: kept });
    expect(requests).toBe(1);
    expect(readdirSync(path.dirname(kept)).sort()).toEqual(['lock', 'temporal']);
  });

  test('one on the path that is too old is passed over', async () => {
    script(path.join(directory, 'tools', 'temporal'), 'temporal version 1.4.1 (Server 1.28.0, UI 2.39.0)');
    const found = await find(await publish());
    expect(found.path).toContain('temporal-1.5.1');
  });

  test('an archive with another checksum is refused, and nothing of it is kept', async () => {
    const archive = await publish();
    script(path.join(directory, 'tools', 'go'), 'no build');
    await expect(find({ ...archive, sha256: '0'.repeat(64) })).rejects.toMatchObject({
      code: 'environment',
      message: expect.stringContaining(archive.sha256) as unknown,
    });
    expect(readdirSync(path.join(directory, 'cache', 'temporal-1.5.1'))).toEqual(['lock']);
  });

  test('an executable that the environment names and that will not do is an error, not passed over', async () => {
    script(path.join(directory, 'tools', 'temporal'), CURRENT);
    const named = script(path.join(directory, 'old'), 'temporal version 1.0.0 (Server 1.24.0)');
    await expect(find(null, env({ SIGNALBOX_TEMPORAL_CLI: named }))).rejects.toThrow(`${named}: version 1.0.0`);
    await expect(find(null, env({ SIGNALBOX_TEMPORAL_CLI: '/no/such/file' }))).rejects.toMatchObject({
      code: 'environment',
    });
  });

  test('a build with Go that fails is reported with what Go said', async () => {
    const go = path.join(directory, 'tools', 'go');
    script(go, '');
    writeFileSync(go, '#!/bin/sh\necho "module lookup disabled" >&2\nexit 1\n');
    await expect(find(null)).rejects.toThrow(/go install .*: exit code 1: module lookup disabled/);
    expect(progress.join('\n')).toContain('Building the Temporal CLI with Go');
  });
});
