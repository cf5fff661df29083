import { chmodSync, existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { execa } from 'execa';

import { cacheDirectory, makePrivateDirectory } from '../../activities/home.ts';
import { withProcessLock } from '../../activities/process-lock.ts';
import { headAndTail, SignalboxError } from '../../core/failures.ts';

const VERSION = '1.31.0';

/** What {@link prepareTestServer} depends on. */
export interface TestServerOptions {
  env: Readonly<Record<string, string | undefined>>;
  onProgress: (text: string) => void;
}

/**
 * The executable of Temporal's time-skipping test server: `SIGNALBOX_TEST_SERVER`, else the Java one that
 * {@link prepareTestServer} made; `null` when there is none, and the SDK has to download its own.
 */
export function testServerPath(env: Readonly<Record<string, string | undefined>>): string | null {
  const named = env['SIGNALBOX_TEST_SERVER'];
  if (named) return named;
  const script = path.join(serverDirectory(env), 'test-server');
  return existsSync(script) ? script : null;
}

/** Fetches the Java test server with Maven, once, where Java and Maven are there; leaves it to the SDK elsewhere. */
export async function prepareTestServer({ env, onProgress }: TestServerOptions): Promise<void> {
  if (testServerPath(env) !== null) return;
  for (const [tool, argument] of [['java', '-version'] as const, ['mvn', '--version'] as const]) {
    const { failed } = await execa(tool, [argument], { reject: false });
    if (failed) {
      onProgress(`No ${tool} here: the SDK downloads its own test server for skipped time when a test asks for it`);
      return;
    }
  }
  const directory = serverDirectory(env);
  makePrivateDirectory(path.dirname(directory));
  await withProcessLock(`${directory}.lock`, async () => {
    if (testServerPath(env) !== null) return;
    onProgress('Fetching the test server for skipped time with Maven, once; this takes about a minute');
    await fetchWithMaven(directory);
  });
}

function serverDirectory(env: Readonly<Record<string, string | undefined>>): string {
  return path.join(cacheDirectory(env), `temporal-test-server-${VERSION}`);
}

async function fetchWithMaven(directory: string): Promise<void> {
  const draft = mkdtempSync(`${directory}-`);
  try {
    writeFileSync(path.join(draft, 'pom.xml'), POM);
    const args = ['-B', '-q', 'dependency:copy-dependencies', '-DincludeScope=runtime', '-DoutputDirectory=lib'];
    const result = await execa('mvn', args, { cwd: draft, reject: false, all: true });
    if (result.failed) {
      throw new SignalboxError('environment', `Maven cannot fetch the test server: ${headAndTail(result.all)}`);
    }
    const script = path.join(draft, 'test-server');
    writeFileSync(script, SCRIPT);
    chmodSync(script, 0o755);
    rmSync(directory, { recursive: true, force: true });
    renameSync(draft, directory);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>signalbox</groupId>
  <artifactId>test-server</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>io.temporal</groupId>
      <artifactId>temporal-test-server</artifactId>
      <version>${VERSION}</version>
    </dependency>
  </dependencies>
</project>
`;

const SCRIPT = `#!/bin/sh
exec java -Xmx256m -cp "$(dirname "$0")/lib/*" io.temporal.testserver.TestServer "$@"
`;
