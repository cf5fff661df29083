/** The workflows, by the names under which the Web UI shows them. */
export { repository } from './repository.ts';
export { run } from './run.ts';
export { task } from './task.ts';
export { train } from './train.ts';
