import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';

/** A command that probably checks a project, and what made us think so. */
export interface DoctorGuess {
  command: string;
  because: string;
}

const packageSchema = z.object({ scripts: z.record(z.string(), z.string()).default({}) });
const NPM_PLACEHOLDER = /no test specified/;

/** What probably checks the project in a directory, by its build files; `null` when nothing says. */
export function guessDoctor(directory: string): DoctorGuess | null {
  const read = (name: string): string | null => {
    try {
      return readFileSync(path.join(directory, name), 'utf8');
    } catch {
      return null;
    }
  };
  return (
    fromPackage(read) ??
    fromMakefile(read) ??
    (read('pyproject.toml') === null ? null : { command: 'python -m pytest', because: 'pyproject.toml' }) ??
    (read('go.mod') === null ? null : { command: 'go test ./...', because: 'go.mod' }) ??
    (read('Cargo.toml') === null ? null : { command: 'cargo test', because: 'Cargo.toml' })
  );
}

type Read = (name: string) => string | null;

function fromPackage(read: Read): DoctorGuess | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(read('package.json') ?? 'null');
  } catch {
    return null;
  }
  const script = packageSchema.safeParse(parsed).data?.scripts['test'];
  if (script === undefined || NPM_PLACEHOLDER.test(script)) return null;
  const managers = { 'pnpm-lock.yaml': 'pnpm test', 'yarn.lock': 'yarn test', 'bun.lock': 'bun run test' };
  const found = Object.entries(managers).find(([lock]) => read(lock) !== null);
  return { command: found?.[1] ?? 'npm test', because: 'the test script of package.json' };
}

function fromMakefile(read: Read): DoctorGuess | null {
  for (const name of ['GNUmakefile', 'makefile', 'Makefile']) {
    const target = /^(check|test)[ \t]*:(?!=)/m.exec(read(name) ?? '')?.[1];
    if (target !== undefined) return { command: `make ${target}`, because: `a target of ${name}` };
  }
  return null;
}
