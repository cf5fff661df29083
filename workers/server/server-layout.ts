import path from 'node:path';

import { type Home } from '../../activities/home.ts';

/** The embedded server's files. */
export interface ServerLayout {
  directory: string;
  /** SQLite; its `-wal` and `-shm` files lie beside it. */
  dataFile: string;
  logFile: string;
  stateFile: string;
  /** Held while a server is started or stopped. */
  lockFile: string;
}

/** Where the embedded server of a home keeps its files. */
export function serverLayout(home: Home): ServerLayout {
  const below = (name: string): string => path.join(home.server, name);
  return {
    directory: home.server,
    dataFile: below('temporal.db'),
    logFile: below('server.log'),
    stateFile: below('server.json'),
    lockFile: below('lock'),
  };
}
