/** A file of the content-addressed store, by which everything larger than a few KB is passed. */
export interface ArtefactRef {
  /** Lower-case hex SHA-256 of the bytes. */
  sha256: string;
  bytes: number;
}

/** The repository that a run works for. */
export interface RepositoryRef {
  /** Its identity, a hash: the same for every path and clone that means the same repository. */
  id: string;
  /** Absolute path of the user's repository on its home host: the top level, or the git directory of a bare one. */
  path: string;
  /** The branch that verified work lands on, without `refs/heads/`. */
  branch: string;
  /** The id of the host where `path` and Signalbox's bare repository lie. */
  host: string;
}

/** What every workflow and activity of a run knows about it. Small on purpose: it is part of most payloads. */
export interface RunRef {
  project: string;
  run: string;
  repository: RepositoryRef;
  /** The pinned configuration and task files: a `RunManifest` in JSON. */
  manifest: ArtefactRef;
}

/** A run as it is pinned now: to what it was started with, or to what it got since tasks were added. */
export function currentRun(run: RunRef, manifest: ArtefactRef | null): RunRef {
  return manifest === null ? run : { ...run, manifest };
}
