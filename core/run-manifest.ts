import type { Config } from './config.ts';
import type { PromptTemplates } from './prompt.ts';
import type { RunImage } from './run-image.ts';
import type { DoneTask } from './selection.ts';
import type { Task } from './task-file.ts';

/**
 * What a run is pinned to when it starts: its configuration, task files and prompts as they were read then. It is kept as an
 * artefact; what anybody changes in `.signalbox` later takes effect in later runs only.
 */
export interface RunManifest {
  version: 1;
  config: Config;
  backend: 'docker' | 'local';
  /** What steps run in; `null` on the host. Runs that were started before images were pinned have none. */
  image?: RunImage | null;
  tasks: Task[];
  prompts: PromptTemplates;
  /** Those of the tasks that an earlier run merged, by id: they count as merged from the start. */
  reused: Record<string, DoneTask>;
  /** The digest of every task file there was, by id, also of tasks that the run leaves out. */
  catalogue: Record<string, string>;
}
