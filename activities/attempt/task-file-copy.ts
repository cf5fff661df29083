import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { RunRef } from '../../core/run-ref.ts';
import type { Task } from '../../core/task-file.ts';
import type { ProjectHost } from '../project-host.ts';
import type { Mount } from '../sandbox/sandbox.ts';

/** The pinned specification of a task on this host, which `SIGNALBOX_TASK_FILE` names; written when it is missing. */
export function taskFileMount(host: ProjectHost, run: RunRef, task: Task): Mount {
  const directory = host.taskDirectory(run, task.manifest.id);
  const file = path.join(directory, 'task.md');
  if (!existsSync(file)) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(file, task.body, { mode: 0o644 });
  }
  return { source: file, target: file, readOnly: true };
}
