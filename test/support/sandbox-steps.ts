import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { homeOf } from '../../activities/home.ts';
import type { Home } from '../../activities/home.ts';
import type { StepSpec } from '../../activities/sandbox/sandbox.ts';
import { stepName } from '../../core/ids.ts';

/** A temporary home with a work tree, and steps that run there. */
export interface StepBench {
  home: Home;
  workTree: string;
  /** A step of task `T-1` with the given command; the fields of `over` replace the defaults. */
  step(command: StepSpec['command'], over?: Partial<StepSpec> & { task?: string; id?: string }): StepSpec;
  remove(): void;
}

let number = 0;

/** Makes a {@link StepBench} under the system's temporary directory. */
export function createStepBench(): StepBench {
  const root = mkdtempSync(path.join(tmpdir(), 'signalbox-sandbox-'));
  const workTree = path.join(root, 'work');
  mkdirSync(workTree);
  return {
    home: homeOf({ SIGNALBOX_HOME: path.join(root, 'home') }),
    workTree,
    step(command, { task = 'T-1', id, ...over } = {}) {
      const owner = { project: 'bench', run: 'r1', task, attempt: 1 };
      return {
        // Of this process: other tests that run at the same time look for processes by their steps' names.
        name: stepName(owner, id ?? `step-${process.pid}-${++number}`),
        owner,
        execution: 'execution-1',
        kind: 'check',
        command,
        stdin: '',
        workTree,
        mounts: [],
        env: {},
        timeoutMs: 60_000,
        outputLimit: 1 << 20,
        network: 'none',
        ...over,
      };
    },
    remove() {
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Waits until a condition holds, looking every few milliseconds. @throws Error after ten seconds */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`still not so: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
