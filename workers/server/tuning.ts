import { createHash } from 'node:crypto';

/**
 * The development server's defaults are made for demonstrations: every hop between its queues waits 50 ms, and SQLite
 * waits for the disk at each write. These settings take that away; docs/architecture.md has the measurements.
 */
const DYNAMIC_CONFIG: readonly string[] = [
  'history.transferProcessorMaxPollRPS=2000',
  'history.timerProcessorMaxPollRPS=2000',
  'history.visibilityProcessorMaxPollRPS=200',
  'history.timerProcessorMaxTimeShift="10ms"',
  'system.enableActivityEagerExecution=true',
];

const SQLITE_PRAGMAS: readonly string[] = ['journal_mode=WAL', 'synchronous=NORMAL'];

/** The arguments of `temporal server start-dev` that make it fast. */
export const TUNING_ARGUMENTS: readonly string[] = [
  ...DYNAMIC_CONFIG.flatMap((setting) => ['--dynamic-config-value', setting]),
  ...SQLITE_PRAGMAS.flatMap((pragma) => ['--sqlite-pragma', pragma]),
];

/** Names the tuning, so that a server started with another one is noticed. */
export const TUNING_DIGEST = createHash('sha256').update(JSON.stringify(TUNING_ARGUMENTS)).digest('hex').slice(0, 16);
