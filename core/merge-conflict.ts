import type { Evidence } from './evidence.ts';

/** What two changes did to a path, so that they cannot both stand. */
export type ConflictKind =
  | 'content'
  | 'added_twice'
  | 'renamed_onto'
  | 'line_endings'
  | 'binary'
  | 'mode'
  | 'symlink'
  | 'submodule'
  | 'type'
  | 'file_directory'
  | 'rename_rename'
  | 'rename_delete'
  | 'modify_delete'
  | 'directory_rename'
  | 'case'
  | 'driver'
  | 'other';

/** One path in conflict. */
export interface ConflictedFile {
  path: string;
  kind: ConflictKind;
  /** A sentence or two for people and agents: the path, what both sides did, and whose change it meets. Bounded. */
  description: string;
}

/** A merge that git could not do alone. */
export interface MergeConflict {
  kind: 'conflict';
  /** All paths in conflict; those after the first few are told in few words. */
  files: ConflictedFile[];
  /** The conflicting files as patches, conflict markers included; bounded. Empty where lines tell nothing. */
  hunks: string;
}

/** Most characters of evidence about one conflict. */
const LONGEST_DETAIL = 16_000;
/** Most of them that the list of paths may take. */
const LONGEST_LIST = 6000;
const NAMED = 5;

/**
 * What a task's next attempt is told of a conflict.
 *
 * @param about `what` begins the sentence: what conflicts with what; `attempt` and `commit`: whose work it was
 */
export function conflictEvidence(
  { files, hunks }: MergeConflict,
  about: { what: string; attempt: number; commit: string | null },
): Evidence {
  const names = files.slice(0, NAMED).map(({ path }) => path);
  const more = files.length > NAMED ? ` and ${files.length - NAMED} more` : '';
  const detail = `${listed(files)}\n\n${hunks}`.trimEnd();
  return {
    kind: 'conflict',
    summary: `${about.what}: ${names.join(', ')}${more}`,
    detail: detail.length <= LONGEST_DETAIL ? detail : `${detail.slice(0, LONGEST_DETAIL)}\n… cut …`,
    attempt: about.attempt,
    commit: about.commit,
    tried: '',
    changes: '',
  };
}

function listed(files: readonly ConflictedFile[]): string {
  let list = '';
  for (const [index, { description }] of files.entries()) {
    if (list.length + description.length > LONGEST_LIST) return `${list}… and ${files.length - index} more`;
    list += `${description}\n`;
  }
  return list.trimEnd();
}
