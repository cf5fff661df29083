import { headAndTail } from './failures.ts';
import type { ConflictKind } from './merge-conflict.ts';

/** What one side, or the common ancestor, has at a path in conflict. */
export interface Version {
  path: string;
  /** As git writes it, such as `100644`. */
  mode: string;
  object: string;
  /** In bytes; `null` for a submodule. */
  size: number | null;
  /** Its content if it was looked at, or where a symbolic link leads; `null` if it is too large, or a submodule. */
  content: Buffer | null;
}

/** A conflict as git tells it, with what was looked at to explain it. */
export interface ConflictFacts {
  /** As git names them, the first one first. */
  paths: readonly string[];
  /** Git's types of its messages, such as `CONFLICT (contents)`. */
  types: readonly string[];
  /** Git's own words, told where we have none. */
  message: string;
  base: Version | null;
  ours: Version | null;
  theirs: Version | null;
  /** For a path that both sides added: what they renamed to it, if that is what they did. */
  renamed?: { ours: string | null; theirs: string | null };
}

/** What the two sides of a merge are called. */
export interface Sides {
  ours: string;
  theirs: string;
}

/** What a conflict is, and in words what both sides did, beginning with the path. */
export function conflictWords(facts: ConflictFacts, sides: Sides): { kind: ConflictKind; words: string } {
  const { paths, types, ours, theirs } = facts;
  const [path = ''] = paths;
  const told = (kind: ConflictKind, words: string, about = path) => ({ kind, words: `${about}: ${words}` });
  const has = (type: string): boolean => types.includes(`CONFLICT (${type})`);

  if (has('rename/rename')) {
    const [from = path, here = '', there = ''] = paths;
    return told('rename_rename', `renamed to ${here} in ${sides.ours}, and to ${there} in ${sides.theirs}`, from);
  }
  if (has('rename/delete')) {
    const [to = '', from = ''] = paths;
    const [renamer, deleter] = inOrder(ours, sides);
    return told('rename_delete', `renamed to ${to} in ${renamer}, but deleted in ${deleter}`, from);
  }
  if (has('file/directory')) {
    const [file, directory] = inOrder(ours, sides);
    return told('file_directory', `a file in ${file}, a directory in ${directory}`);
  }
  if (has('distinct modes')) {
    return told('type', `${noun(ours)} in ${sides.ours}, but ${noun(theirs)} in ${sides.theirs}`);
  }
  if (has('directory rename suggested')) {
    const [to = '', from = path] = paths;
    const [adder, renamer] = inOrder(ours, sides);
    return told(
      'directory_rename',
      `put into a directory in ${adder} that was renamed in ${renamer}; belongs to ${to} now`,
      from,
    );
  }
  if (has('modify/delete')) {
    const [changer, deleter] = inOrder(ours, sides);
    const what = ours?.mode === GITLINK || theirs?.mode === GITLINK ? 'a submodule, ' : '';
    return told('modify_delete', `${what}deleted in ${deleter}, but changed in ${changer}`);
  }
  if (ours !== null && theirs !== null) return bothHave({ ...facts, ours, theirs }, sides, told);
  return told('other', headAndTail(facts.message.replaceAll(/\s+/g, ' ').trim(), 400));
}

const GITLINK = '160000';
const SYMLINK = '120000';
const EXECUTABLE = '100755';

type Told = (kind: ConflictKind, words: string) => { kind: ConflictKind; words: string };

/** For conflicts of a path that both sides have, as things of one sort. */
function bothHave(
  facts: ConflictFacts & { ours: Version; theirs: Version },
  sides: Sides,
  told: Told,
): ReturnType<Told> {
  const { base, ours, theirs, renamed } = facts;
  if (ours.mode === GITLINK && theirs.mode === GITLINK) {
    const from = base === null ? 'that both added' : `that both moved away from ${short(base)}`;
    const words = `a submodule ${from}: to ${short(ours)} in ${sides.ours}, to ${short(theirs)} in ${sides.theirs}`;
    return told('submodule', words);
  }
  if (ours.mode === SYMLINK && theirs.mode === SYMLINK)
    return told('symlink', `${noun(ours)} in ${sides.ours}, but ${noun(theirs)} in ${sides.theirs}`);
  if (ours.object === theirs.object && ours.mode !== theirs.mode) {
    const [executable, plain] = inOrder(ours.mode === EXECUTABLE ? ours : null, sides);
    return told('mode', `executable in ${executable}, but not in ${plain}`);
  }
  if (facts.types.includes('CONFLICT (binary)')) return told('binary', binaryWords(facts, sides));
  const endings = lineEndingWords(facts, sides);
  if (endings !== null) return told('line_endings', endings);
  if (base !== null) return told('content', `${sides.ours} and ${sides.theirs} changed the same lines`);
  if (renamed !== undefined && (renamed.ours ?? renamed.theirs) !== null) {
    const did = (from: string | null): string => (from === null ? 'added' : `the new name of ${from}`);
    const words = `${did(renamed.ours)} in ${sides.ours}, but ${did(renamed.theirs)} in ${sides.theirs}`;
    return told('renamed_onto', words);
  }
  return told('added_twice', `added in ${sides.ours} and in ${sides.theirs}, with different content`);
}

/** The side that has something, and the other one. */
function inOrder(ours: Version | null, sides: Sides): [string, string] {
  return ours === null ? [sides.theirs, sides.ours] : [sides.ours, sides.theirs];
}

function noun(version: Version | null): string {
  if (version === null) return 'nothing';
  if (version.mode === GITLINK) return `a submodule at ${short(version)}`;
  if (version.mode !== SYMLINK) return 'a file';
  const target = version.content?.toString('utf8') ?? '';
  return `a symbolic link to ${JSON.stringify(target.slice(0, 200))}`;
}

function short({ object }: Version): string {
  return object.slice(0, 10);
}

/** Is this no text, by git's own rule: a NUL among the first bytes? */
export function isBinary(content: Buffer): boolean {
  return content.subarray(0, 8000).includes(0);
}

function binaryWords({ base, ours, theirs }: ConflictFacts, sides: Sides): string {
  const bytes = (version: Version | null, where: string): string[] =>
    version === null ? [] : [`${version.size ?? 0} bytes ${where}`];
  const sizes = [
    ...bytes(ours, `in ${sides.ours}`),
    ...bytes(theirs, `in ${sides.theirs}`),
    ...bytes(base, 'before'),
  ].join(', ');
  const isText = [base, ours, theirs].every((version) => version?.content == null || !isBinary(version.content));
  const known = isText && ours?.content != null && theirs?.content != null;
  const did = base === null ? 'added' : 'changed';
  const sort = known ? 'a file that is not merged line by line, as its attributes say,' : 'a binary file';
  return `${sort} that both ${did} (${sizes}); one of the two must be taken, or made anew`;
}

type Endings = 'LF' | 'CRLF' | 'mixed' | 'no';

function endingsOf(text: string): Endings {
  const all = text.split('\n').length - 1;
  if (all === 0) return 'no';
  const crlf = text.split('\r\n').length - 1;
  return crlf === 0 ? 'LF' : crlf === all ? 'CRLF' : 'mixed';
}

/** What to say where both sides end their lines differently, so that every line of the file conflicts; else `null`. */
function lineEndingWords({ base, ours, theirs }: ConflictFacts, sides: Sides): string | null {
  if (ours?.content == null || theirs?.content == null || (base !== null && base.content === null)) return null;
  const text = (version: Version | null): string => version?.content?.toString('latin1') ?? '';
  const [before, here, there] = [text(base), text(ours), text(theirs)];
  const [endingsHere, endingsThere] = [endingsOf(here), endingsOf(there)];
  if (endingsHere === endingsThere || endingsHere === 'no' || endingsThere === 'no') return null;
  const plain = (lines: string): string => lines.replaceAll('\r\n', '\n');
  const differ = `${endingsHere} in ${sides.ours}, ${endingsThere} in ${sides.theirs}`;
  if (plain(here) === plain(there)) return `both made the same of it, but with other line endings: ${differ}`;
  if (base !== null && plain(here) === plain(before)) return onlyEndings(sides.ours, sides.theirs, endingsHere, differ);
  if (base !== null && plain(there) === plain(before))
    return onlyEndings(sides.theirs, sides.ours, endingsThere, differ);
  return `both changed it, and its line endings differ, so that every line conflicts: ${differ}`;
}

function onlyEndings(changer: string, other: string, endings: Endings, differ: string): string {
  const change = `${changer} changed nothing but the line endings of the file`;
  return `${change} (to ${endings}), so that every line conflicts with what ${other} changed: ${differ}`;
}
