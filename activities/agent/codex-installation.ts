import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

import { SignalboxError } from '../../core/failures.ts';

/** The native Codex that the SDK's packages brought. */
export interface CodexInstallation {
  /** Directory with `bin/codex` and the programs that it needs; works when mounted anywhere. */
  root: string;
  binary: string;
}

/** Target triple and package suffix of each platform that Codex is built for. */
const TARGETS: Readonly<Record<string, { triple: string; suffix: string }>> = {
  'linux-x64': { triple: 'x86_64-unknown-linux-musl', suffix: 'linux-x64' },
  'linux-arm64': { triple: 'aarch64-unknown-linux-musl', suffix: 'linux-arm64' },
  'darwin-x64': { triple: 'x86_64-apple-darwin', suffix: 'darwin-x64' },
  'darwin-arm64': { triple: 'aarch64-apple-darwin', suffix: 'darwin-arm64' },
};

/**
 * Finds the Codex for a platform (`linux` for containers, whatever the host is) and this machine's processor.
 *
 * @throws SignalboxError `environment` when npm did not install it
 */
export function findCodex(platform: NodeJS.Platform = process.platform): CodexInstallation {
  const target = TARGETS[`${platform}-${process.arch}`];
  if (target === undefined) {
    throw new SignalboxError('environment', `there is no Codex for ${platform} on ${process.arch}`, {
      hint: 'Use another agent (agent.provider: command), or another machine.',
    });
  }
  const name = `@openai/codex-${target.suffix}`;
  const root = vendorDirectory(name, target.triple);
  const binary = root === null ? null : path.join(root, 'bin', 'codex');
  if (root === null || binary === null || !existsSync(binary)) {
    throw new SignalboxError('environment', `Codex is not installed: npm left out its optional package ${name}`, {
      hint: 'Run `npm install --include=optional` where Signalbox is installed.',
    });
  }
  return { root, binary };
}

function vendorDirectory(name: string, triple: string): string | null {
  try {
    // The platform's package is a dependency of Codex's, not of ours, and need not be hoisted to where we find it.
    const ours = createRequire(import.meta.url);
    const codex = createRequire(ours.resolve('@openai/codex/package.json', { paths: sdkPaths(ours) }));
    return path.join(path.dirname(codex.resolve(`${name}/package.json`)), 'vendor', triple);
  } catch {
    return null;
  }
}

/** Directories from which the SDK itself would look for its dependencies. */
function sdkPaths(from: NodeJS.Require): string[] {
  const bases = from.resolve.paths('@openai/codex-sdk') ?? [];
  return bases.flatMap((base) => [path.join(base, '@openai', 'codex-sdk'), base]);
}
