import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { execa } from 'execa';

import { headAndTail } from '../../core/failures.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';

/** Whether Codex can keep its commands in a sandbox of its own on this host, outside a container. */
export interface CodexSandboxProbe {
  works: boolean;
  /** Whether Codex is in a sandbox of ours, whatever becomes of its own. */
  confined: boolean;
  /** Why not, in Codex's words. */
  reason: string | null;
}

/** Tries Codex's own sandbox on a command that does nothing, where steps of a sandbox run. Takes about 0.1 s. */
export async function probeCodexSandbox(binary: string, sandbox: Sandbox): Promise<CodexSandboxProbe> {
  const home = await mkdtemp(path.join(tmpdir(), 'signalbox-codex-'));
  try {
    const command = [binary, 'sandbox', '--', '/bin/sh', '-c', ':'];
    const [program = binary, ...args] = (await sandbox.likeStep?.(command, home)) ?? command;
    const { failed, shortMessage, stderr } = await execa(program, args, {
      cwd: home,
      env: { PATH: process.env['PATH'], HOME: home, CODEX_HOME: home },
      extendEnv: false,
      stdin: 'ignore',
      timeout: 10_000,
      reject: false,
    });
    const reason = failed ? headAndTail(stderr.trim() || (shortMessage ?? 'unknown'), 500) : null;
    return { works: !failed, confined: program !== binary, reason };
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}
