import { createHash } from 'node:crypto';
import { createReadStream, existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import dockerignore from '@balena/dockerignore';
import tar, { type PackOptions } from 'tar-fs';

/** Where the Dockerfile lies in what the engine gets: it may lie outside of the context. */
export const DOCKERFILE = '.signalbox.dockerfile';

/** What a Dockerfile's `COPY` sees. */
export interface BuildContext {
  /** SHA-256 of the paths, modes and contents of all files. */
  digest: string;
  files: number;
  bytes: number;
  /** All files, and the Dockerfile as {@link DOCKERFILE}, as a tar archive. */
  pack: (dockerfile: string) => NodeJS.ReadableStream;
}

/**
 * Reads the directory that a build sees: without what its `.dockerignore` names, and without `.git`, which would make every
 * commit another build. Files only: links stay links, and what is neither is left out.
 *
 * @param directory absolute; `null`: a build that sees nothing but its Dockerfile
 */
export async function readBuildContext(directory: string | null): Promise<BuildContext> {
  const files = directory === null ? [] : listFiles(directory);
  const hash = createHash('sha256');
  let bytes = 0;
  for (const file of files) {
    const place = path.join(directory ?? '', file);
    const { size, mode } = lstatSync(place);
    const content = await contentDigest(place);
    hash.update(JSON.stringify([file, mode & 0o777, content]));
    bytes += size;
  }
  return {
    digest: hash.digest('hex'),
    files: files.length,
    bytes,
    pack: (dockerfile) => {
      const options: PackOptions & { umask: number } = {
        entries: [...files],
        // Modes go as they are, and whose files they are here means nothing inside.
        umask: 0,
        map: (header) => ({ ...header, uid: 0, gid: 0 }),
        finalize: false,
        finish: (pack) => {
          pack.entry({ name: DOCKERFILE }, dockerfile);
          pack.finalize();
        },
      };
      return tar.pack(directory ?? '/', options);
    },
  };
}

function listFiles(directory: string): string[] {
  const ignoreFile = path.join(directory, '.dockerignore');
  const rules = existsSync(ignoreFile) ? readFileSync(ignoreFile, 'utf8') : '';
  const ignore = dockerignore.default({ ignorecase: false }).add(rules);
  // An exception may lie deep in what is left out otherwise.
  const hasExceptions = /^\s*!/m.test(rules);
  const files: string[] = [];
  const walk = (below: string): void => {
    for (const entry of readdirSync(path.join(directory, below), { withFileTypes: true })) {
      const file = below === '' ? entry.name : `${below}/${entry.name}`;
      if (file === '.git') continue;
      if (entry.isDirectory()) {
        if (hasExceptions || !ignore.ignores(file)) walk(file);
      } else if ((entry.isFile() || entry.isSymbolicLink()) && !ignore.ignores(file)) {
        files.push(file);
      }
    }
  };
  walk('');
  return files.sort();
}

async function contentDigest(file: string): Promise<string> {
  if (lstatSync(file).isSymbolicLink()) return `-> ${readlinkSync(file)}`;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
