import type { ServerStatus } from '../../workers/server/embedded-server.ts';

/** The embedded server for scripts. */
export function serverResult(status: ServerStatus): Record<string, unknown> {
  return {
    running: status.running,
    address: status.address,
    web_ui: status.webUi,
    pid: status.pid,
    version: status.version,
    tuned: status.tuned,
    data_file: status.dataFile,
    log_file: status.logFile,
  };
}

/** The embedded server for people. */
export function serverText(status: ServerStatus): string {
  if (!status.running) return `The embedded Temporal server does not run. Its data: ${status.dataFile}`;
  const tuned = status.tuned
    ? ''
    : '\nIt was started with other settings than ours, so it is slower: stop and start it.';
  return [
    `The embedded Temporal server runs at ${status.address ?? 'an unknown address'} (pid ${status.pid ?? 'unknown'}).`,
    `Web UI: ${status.webUi ?? 'none'}`,
    `Data: ${status.dataFile}`,
    `Log: ${status.logFile}${tuned}`,
  ].join('\n');
}
