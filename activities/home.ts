import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync, linkSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

/**
 * Where everything local lies: `$SIGNALBOX_HOME`, else `$XDG_DATA_HOME/signalbox`, else `~/.local/share/signalbox`.
 * Never inside a target repository. Directories are made, mode 0700, by whoever writes into them.
 */
export interface Home {
  readonly root: string;
  /** The embedded server: database, log, pid file. */
  readonly server: string;
  /** The model gateway: its state file and log. */
  readonly gateway: string;
  /** Logs of background workers. */
  readonly workers: string;
  /** Bare repositories, `<repository id>.git`. */
  readonly repositories: string;
  /** Agents' workspaces, `<repository id>/<run>/<task>/<attempt>`. */
  readonly workspaces: string;
  /** Pooled checkouts for checks, `<repository id>/<slot>`. */
  readonly checkouts: string;
  /** Dependency snapshots, `<repository id>/<key>`. */
  readonly snapshots: string;
  /** One directory for each step: what was asked, its output and how it ended. */
  readonly steps: string;
  /** What agents' turns used, `<project>/<run>/<step>.json`. */
  readonly usage: string;
  /** What checks said about trees, a file each. */
  readonly verdicts: string;
  /** Content-addressed files, by SHA-256. */
  readonly artefacts: string;
}

/** The local layout that an environment names. Reads and writes nothing. */
export function homeOf(env: Readonly<Record<string, string | undefined>>): Home {
  const data = env['XDG_DATA_HOME'] || path.join(env['HOME'] || homedir(), '.local', 'share');
  const root = path.resolve(env['SIGNALBOX_HOME'] || path.join(data, 'signalbox'));
  const below = (name: string): string => path.join(root, name);
  return {
    root,
    server: below('server'),
    gateway: below('gateway'),
    workers: below('workers'),
    repositories: below('repositories'),
    workspaces: below('workspaces'),
    checkouts: below('checkouts'),
    snapshots: below('snapshots'),
    steps: below('steps'),
    usage: below('usage'),
    verdicts: below('verdicts'),
    artefacts: below('artefacts'),
  };
}

/** Where rebuildable things are kept (downloaded or built programs): `$SIGNALBOX_CACHE`, else the XDG cache directory. */
export function cacheDirectory(env: Readonly<Record<string, string | undefined>>): string {
  const cache = env['XDG_CACHE_HOME'] || path.join(env['HOME'] || homedir(), '.cache');
  return path.resolve(env['SIGNALBOX_CACHE'] || path.join(cache, 'signalbox'));
}

/** Makes a directory that only its owner may enter, with its parents. */
export function makePrivateDirectory(directory: string): string {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return directory;
}

/** This host's id: made once, kept in the home, so that one home is one host however its name or address changes. */
export function hostId(home: Home): string {
  const file = path.join(makePrivateDirectory(home.root), 'host-id');
  const read = (): string => readFileSync(file, 'utf8').trim();
  try {
    return read();
  } catch {
    // Two processes may come here at once: a link of a complete file lets exactly one win.
    const draft = `${file}.${randomUUID()}`;
    writeFileSync(draft, `${randomUUID().slice(0, 13)}\n`, { mode: 0o600 });
    try {
      linkSync(draft, file);
    } catch {
      // Somebody else was first; theirs is read below.
    }
    rmSync(draft, { force: true });
    return read();
  }
}
