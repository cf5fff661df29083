import { createHash } from 'node:crypto';
import { chownSync, existsSync, lstatSync, mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SignalboxError } from '../../core/failures.ts';
import { makePrivateDirectory } from '../home.ts';
import { secretWritings } from '../redaction/secret-writings.ts';
import type { ContainerUser } from './container-profile.ts';
import { removeShared, type StepDirectory } from './step-directory.ts';

/** Memory that has names, on every Linux: what is written there reaches no disk but swap, and is gone with the machine. */
const MEMORY = '/dev/shm';
const TMPFS = 0x01021994;

/**
 * Hands a container its secrets: in a directory of memory, mounted for it alone, with a file that the container's entry
 * reads and deletes before the command starts. The engine keeps every variable that it is told; it is not told these.
 *
 * @returns the directory to be mounted
 * @throws SignalboxError `environment` where there is no such memory, or somebody else has taken our place in it
 */
export function writeSecrets(
  directory: StepDirectory,
  secrets: Readonly<Record<string, string>>,
  user: ContainerUser,
): string {
  requireMemory();
  const place = placeOf(directory);
  requireOwn(makePrivateDirectory(path.dirname(place)));
  mkdirSync(place, { recursive: true, mode: 0o700 });
  const file = path.join(place, 'env');
  const lines = Object.entries(secrets).map(([name, value]) => `export ${name}=${quoted(value)}\n`);
  const texts = secretWritings(Object.values(secrets)).map((text) => `=${text}\n`);
  const hidden = `sb_hidden=${quoted(texts.join(''))}\n`;
  rmSync(file, { force: true });
  writeFileSync(file, lines.join('') + hidden, { mode: 0o600, flag: 'wx' });
  if (process.getuid?.() === 0) for (const owned of [file, place]) chownSync(owned, user.uid, user.gid);
  return place;
}

/** Removes what a container never came to read, and the place of what it did. */
export function dropSecrets(directory: StepDirectory): void {
  removeShared(placeOf(directory));
}

function placeOf(directory: StepDirectory): string {
  const step = createHash('sha256').update(directory.path).digest('hex').slice(0, 32);
  return path.join(MEMORY, `signalbox-${process.getuid?.() ?? 0}`, step);
}

function requireMemory(): void {
  if (existsSync(MEMORY) && statfsSync(MEMORY).type === TMPFS) return;
  throw new SignalboxError('environment', `this host has no memory at ${MEMORY} to hand secrets to a container in`, {
    hint: 'Secret inputs work in Docker on Linux; elsewhere use `sandbox.backend: local`, or no secret inputs.',
  });
}

/** Everybody may make directories there: one that is not ours alone is no place for secrets. */
function requireOwn(directory: string): void {
  const stat = lstatSync(directory);
  if (stat.isDirectory() && stat.uid === process.getuid?.() && (stat.mode & 0o077) === 0) return;
  throw new SignalboxError('environment', `${directory} belongs to somebody else, or is open to others`, {
    hint: `Remove it: rm -r ${directory}`,
  });
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
