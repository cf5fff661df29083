import type { Config } from './config.ts';
import type { Task } from './task-file.ts';

/**
 * What a run is pinned to when it starts: its configuration and its task files as they were read then. It is kept as an
 * artefact; what anybody changes in `.signalbox` later takes effect in later runs only.
 */
export interface RunManifest {
  version: 1;
  config: Config;
  backend: 'docker' | 'local';
  tasks: Task[];
}
