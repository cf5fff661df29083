import { clean } from './commands/clean.ts';
import { doctor } from './commands/doctor.ts';
import { init } from './commands/init.ts';
import { planStart } from './commands/plan/start.ts';
import { runCancel } from './commands/run/cancel.ts';
import { runDescribe } from './commands/run/describe.ts';
import { runList } from './commands/run/list.ts';
import { runPause } from './commands/run/pause.ts';
import { runResume } from './commands/run/resume.ts';
import { runStart } from './commands/run/start.ts';
import { runStop } from './commands/run/stop.ts';
import { runWatch } from './commands/run/watch.ts';
import { serverStart } from './commands/server/start.ts';
import { serverStatus } from './commands/server/status.ts';
import { serverStop } from './commands/server/stop.ts';
import { taskCancel } from './commands/task/cancel.ts';
import { taskDescribe } from './commands/task/describe.ts';
import { taskList } from './commands/task/list.ts';
import { taskLogs } from './commands/task/logs.ts';
import { taskRetry } from './commands/task/retry.ts';
import { workerStart } from './commands/worker/start.ts';
import type { Command } from './framework/command.ts';
import type { Group } from './framework/program.ts';

/** The nouns with verbs. */
export const groups: readonly Group[] = [
  { name: 'plan', summary: 'turn an implementation plan into tasks' },
  { name: 'run', summary: 'runs of tasks' },
  { name: 'task', summary: 'the tasks of a run' },
  { name: 'server', summary: 'the embedded Temporal server' },
  { name: 'worker', summary: 'the processes that do the work' },
];

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  init,
  doctor,
  planStart,
  runStart,
  runList,
  runDescribe,
  runWatch,
  runPause,
  runStop,
  runResume,
  runCancel,
  taskList,
  taskDescribe,
  taskLogs,
  taskRetry,
  taskCancel,
  serverStart,
  serverStop,
  serverStatus,
  workerStart,
  clean,
];
