import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { deflateSync, inflateSync } from 'node:zlib';
import { OUR_IDENTITY, type Identity } from '../../core/identity.ts';
import { diskFailure } from '../system-errors.ts';

/** Who and when, for an author or a committer. */
export interface Signature extends Identity {
  /** Seconds since 1970; written with the zone +0000. */
  time: number;
}

/** The address of whom our commits are by, unless the configuration names somebody else. */
export const OUR_EMAIL = OUR_IDENTITY.email;

/** Who our commits are by, now. */
export function ourSignature(): Signature {
  return { ...OUR_IDENTITY, time: Math.floor(Date.now() / 1000) };
}

/** A commit to be written. */
export interface CommitDraft {
  tree: string;
  parents: readonly string[];
  message: string;
  author: Signature;
  committer: Signature;
}

/** The facts of a commit. */
export interface CommitInfo {
  tree: string;
  parents: string[];
  message: string;
  author: string;
  /** Seconds since 1970. */
  committedAt: number;
}

/** Most of a small object are ids, which do not get smaller; git reads any window. */
const QUICK = { level: 1, windowBits: 13, memLevel: 6 };

function loosePath(gitDir: string, id: string): string {
  return path.join(gitDir, 'objects', id.slice(0, 2), id.slice(2));
}

/** The content of a loose object, or `null` when it is not loose (it may be in a pack). */
export function readLooseObject(gitDir: string, id: string): { type: string; content: Buffer } | null {
  let raw: Buffer;
  try {
    raw = inflateSync(readFileSync(loosePath(gitDir, id)));
  } catch {
    return null;
  }
  const end = raw.indexOf(0);
  return { type: raw.toString('latin1', 0, raw.indexOf(32)), content: raw.subarray(end + 1) };
}

/** Writes a small object as a loose one, as git itself does: complete under another name first. Returns its id. */
export function writeLooseObject(gitDir: string, type: 'commit' | 'tree' | 'blob', content: Buffer): string {
  const whole = Buffer.concat([Buffer.from(`${type} ${content.length}\0`), content]);
  const id = createHash('sha1').update(whole).digest('hex');
  const file = loosePath(gitDir, id);
  if (existsSync(file)) return id;
  const draft = path.join(gitDir, 'objects', id.slice(0, 2), `tmp_obj_${randomUUID().slice(0, 8)}`);
  try {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(draft, deflateSync(whole, QUICK), { mode: 0o444, flag: 'wx' });
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw diskFailure(error) ?? error;
  }
  return id;
}

function line(who: Signature): string {
  const clean = (text: string): string => text.replaceAll(/[<>\n\0]/g, '').trim() || 'unknown';
  return `${clean(who.name)} <${clean(who.email)}> ${Math.floor(who.time)} +0000`;
}

/** Writes a commit and returns its id; the same arguments give the same id. */
export function writeCommit(gitDir: string, commit: CommitDraft): string {
  return writeLooseObject(gitDir, 'commit', commitContent(commit));
}

/** The bytes of a commit, without a signature. */
export function commitContent(commit: CommitDraft): Buffer {
  const head = [
    `tree ${commit.tree}`,
    ...commit.parents.map((parent) => `parent ${parent}`),
    `author ${line(commit.author)}`,
    `committer ${line(commit.committer)}`,
  ];
  return Buffer.from(`${head.join('\n')}\n\n${commitMessage(commit)}`);
}

/** The message as it is written: without NUL, with one line end at its end. */
export function commitMessage({ message }: Pick<CommitDraft, 'message'>): string {
  return message.replaceAll('\0', '').replace(/\n*$/, '\n');
}

/** Takes a commit object apart. */
export function parseCommit(content: Buffer): CommitInfo {
  const text = content.toString('utf8');
  const end = text.indexOf('\n\n');
  const headers = text.slice(0, end === -1 ? undefined : end).split('\n');
  const values = (name: string): string[] =>
    headers.filter((header) => header.startsWith(`${name} `)).map((header) => header.slice(name.length + 1));
  return {
    tree: values('tree')[0] ?? '',
    parents: values('parent'),
    message: end === -1 ? '' : text.slice(end + 2),
    author: values('author')[0]?.replace(/ \d+ [+-]\d{4}$/, '') ?? '',
    committedAt: Number(/ (\d+) [+-]\d{4}$/.exec(values('committer')[0] ?? '')?.[1] ?? 0),
  };
}
