import { clean } from './commands/clean.ts';
import { codecStart } from './commands/codec/start.ts';
import { doctor } from './commands/doctor.ts';
import { imageBuild } from './commands/image/build.ts';
import { imageList } from './commands/image/list.ts';
import { imagePrune } from './commands/image/prune.ts';
import { init } from './commands/init.ts';
import { keyAdd } from './commands/key/add.ts';
import { keyList } from './commands/key/list.ts';
import { lockList } from './commands/lock/list.ts';
import { planStart } from './commands/plan/start.ts';
import { runCancel } from './commands/run/cancel.ts';
import { runDescribe } from './commands/run/describe.ts';
import { runList } from './commands/run/list.ts';
import { runPause } from './commands/run/pause.ts';
import { runResume } from './commands/run/resume.ts';
import { runSet } from './commands/run/set.ts';
import { runStart } from './commands/run/start.ts';
import { runStop } from './commands/run/stop.ts';
import { runWatch } from './commands/run/watch.ts';
import { serverStart } from './commands/server/start.ts';
import { serverStatus } from './commands/server/status.ts';
import { serverStop } from './commands/server/stop.ts';
import { snapshotList } from './commands/snapshot/list.ts';
import { snapshotPrune } from './commands/snapshot/prune.ts';
import { taskAdd } from './commands/task/add.ts';
import { taskAnswer } from './commands/task/answer.ts';
import { taskApprove } from './commands/task/approve.ts';
import { taskCancel } from './commands/task/cancel.ts';
import { taskDescribe } from './commands/task/describe.ts';
import { taskDiff } from './commands/task/diff.ts';
import { taskList } from './commands/task/list.ts';
import { taskLogs } from './commands/task/logs.ts';
import { taskReject } from './commands/task/reject.ts';
import { taskRetry } from './commands/task/retry.ts';
import { taskSet } from './commands/task/set.ts';
import { taskSkip } from './commands/task/skip.ts';
import { workerStart } from './commands/worker/start.ts';
import type { Command } from './framework/command.ts';
import type { Group } from './framework/program.ts';

/** The nouns with verbs. */
export const groups: readonly Group[] = [
  { name: 'plan', summary: 'turn an implementation plan into tasks' },
  { name: 'run', summary: 'runs of tasks' },
  { name: 'task', summary: 'the tasks of a run' },
  { name: 'lock', summary: 'the locks of a repository' },
  { name: 'image', summary: 'the images that agents and checks run in' },
  { name: 'snapshot', summary: 'the dependencies that were installed on this host' },
  { name: 'server', summary: 'the embedded Temporal server' },
  { name: 'worker', summary: 'the processes that do the work' },
  { name: 'key', summary: 'the keys that payloads are encrypted with' },
  { name: 'codec', summary: 'the endpoint with which the Web UI reads encrypted payloads' },
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
  runSet,
  taskList,
  taskDescribe,
  taskLogs,
  taskDiff,
  taskApprove,
  taskReject,
  taskAnswer,
  taskRetry,
  taskCancel,
  taskSkip,
  taskSet,
  taskAdd,
  lockList,
  imageBuild,
  imageList,
  imagePrune,
  snapshotList,
  snapshotPrune,
  serverStart,
  serverStop,
  serverStatus,
  workerStart,
  keyAdd,
  keyList,
  codecStart,
  clean,
];
