import { lstatSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SignalboxError } from '../../core/failures.ts';
import { readRef } from '../git/refs.ts';
import { inspectUserRepository } from '../git/inspect-user-repository.ts';
import type { UserRepository } from '../git/user-repository.ts';
import { type DoctorGuess, guessDoctor } from './guess.ts';
import { CONFIG_FILE, projectIdOf } from './project.ts';
import { reasonOf } from './reason.ts';

/** Options of {@link initProject}. */
export interface InitOptions {
  /** Replace files that exist. */
  force?: boolean;
}

/** What `initProject` did. Paths are relative to `root`, with `/`. */
export interface InitResult {
  /** The top of the repository's work tree. */
  root: string;
  written: string[];
  kept: string[];
  project: string;
  integrationBranch: string;
  /** The check that was put into the configuration, or `null` when the user must name one. */
  doctor: DoctorGuess | null;
}

/**
 * Writes a configuration, an example task and `.gitignore` into the repository that holds a directory. What exists is
 * kept, unless forced.
 *
 * @throws SignalboxError `environment` if there is no repository with a work tree, or it cannot be written
 */
export async function initProject(directory: string, { force = false }: InitOptions = {}): Promise<InitResult> {
  const repository = await inspectUserRepository(directory);
  const root = repository.topLevel;
  if (root === null) {
    throw new SignalboxError('environment', `${directory} is a bare repository, which has no place for files`, {
      hint: 'Run signalbox init in a checkout of it.',
    });
  }
  const project = projectIdOf(root);
  const integrationBranch = branchOf(repository);
  const doctor = guessDoctor(root);
  const files = {
    [CONFIG_FILE]: configText(project, integrationBranch, doctor),
    '.signalbox/tasks/001-example.md': EXAMPLE_TASK,
    '.signalbox/.gitignore': GITIGNORE,
  };
  const written: string[] = [];
  const kept: string[] = [];
  for (const [file, text] of Object.entries(files)) (write(root, file, text, force) ? written : kept).push(file);
  return { root, written, kept, project, integrationBranch, doctor };
}

/** The branch that is checked out; with a detached HEAD, the usual one that exists. */
function branchOf({ head, commonDir }: UserRepository): string {
  if (head !== null) return head;
  return ['main', 'master'].find((name) => readRef(commonDir, `refs/heads/${name}`) !== null) ?? 'main';
}

/** Writes a file, and says whether it did: without `force` it keeps what stands there, a dangling link included. */
function write(root: string, file: string, text: string, force: boolean): boolean {
  const target = path.join(root, file);
  try {
    mkdirSync(path.dirname(target), { recursive: true });
    if (force) rmSync(target, { force: true });
    if (lstatSync(target, { throwIfNoEntry: false }) !== undefined) return false;
    writeFileSync(target, text, { flag: 'wx' });
    return true;
  } catch (error) {
    throw new SignalboxError('environment', `${file} cannot be written: ${reasonOf(error)}`, { cause: error });
  }
}

function configText(project: string, branch: string, doctor: DoctorGuess | null): string {
  const check =
    doctor === null
      ? '# What must pass on every result. A run needs it, or `integration: []`, which says that nothing is checked.\n' +
        '# checks:\n#   doctor: make test\n#   lint: make lint\n'
      : `checks:\n  # What must pass on every result; guessed from ${doctor.because}.\n` +
        `  doctor: ${JSON.stringify(doctor.command)}\n  # lint: npm run lint\n`;
  return `# The configuration of Signalbox. What is left out has the default of docs/configuration.md.
version: 1
project: ${JSON.stringify(project)}

repository:
  # Proven work is merged into this branch; nothing else moves it.
  integration_branch: ${JSON.stringify(branch)}

run:
  # Tasks that agents work on at once.
  max_parallel: 4

agent:
  provider: codex
  # model: gpt-5-codex

${check}
# Named sets of paths, which tasks can lock.
# resources:
#   - name: database
#     paths: ["migrations/**", "src/db/**"]
`;
}

const EXAMPLE_TASK = `---
id: "001"
name: example
description: Adds a note that shows how a task goes through Signalbox.
files:
  writes: ["SIGNALBOX_EXAMPLE.md"]
---
Create the file \`SIGNALBOX_EXAMPLE.md\` in the top directory with one sentence in it: what this repository is for, as
far as its README or its sources tell. Change nothing else.
`;

const GITIGNORE = `# The configuration and the tasks belong into the repository; local state does not.
local/
`;
