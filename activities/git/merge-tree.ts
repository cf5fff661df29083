import { CommandFailedError } from '../../core/failures.ts';
import type { BareRepository } from './bare-repository.ts';

/** What one side (stage 2: ours, 3: theirs) or the common ancestor (1) has at a path in conflict. */
export interface ConflictEntry {
  path: string;
  mode: string;
  object: string;
  stage: 1 | 2 | 3;
}

/** What git says of a path, or of several at once. */
export interface MergeMessage {
  paths: string[];
  /** Such as `CONFLICT (contents)`: it does not change between versions and languages. */
  type: string;
  text: string;
}

/** What `git merge-tree` made of two commits. */
export interface MergedTrees {
  /** Where there are conflicts, with their markers in it. */
  tree: string;
  clean: boolean;
  entries: ConflictEntry[];
  messages: MergeMessage[];
}

/**
 * Merges two commits without a work tree; one process.
 *
 * @param config settings of git, such as which attributes count
 */
export async function runMergeTree(
  bare: BareRepository,
  ours: string,
  theirs: string,
  options: { config?: Record<string, string>; signal?: AbortSignal | undefined },
): Promise<MergedTrees> {
  const { config = {}, signal } = options;
  const flags = ['--write-tree', '--messages', '-z', '--allow-unrelated-histories'];
  const { stdout, exitCode, stderr } = await bare.git(['merge-tree', ...flags, ours, theirs], {
    config,
    allowedExitCodes: [0, 1],
    ...(signal === undefined ? {} : { signal }),
  });
  const [tree = '', ...fields] = stdout.toString('utf8').split('\0');
  if (!/^[0-9a-f]{40,64}$/.test(tree))
    throw new CommandFailedError({ command: 'git merge-tree', exitCode, signal: null, stdout: tree, stderr });
  if (exitCode === 0) return { tree, clean: true, entries: [], messages: [] };
  const end = fields.indexOf('');
  return {
    tree,
    clean: false,
    entries: fields.slice(0, end).flatMap(entryOf),
    messages: messagesOf(fields.slice(end + 1)),
  };
}

function entryOf(record: string): ConflictEntry[] {
  const [, mode = '', object = '', stage, path = ''] = /^(\d{6}) ([0-9a-f]+) ([123])\t([^]*)$/.exec(record) ?? [];
  return stage === undefined ? [] : [{ path, mode, object, stage: Number(stage) as 1 | 2 | 3 }];
}

/** Reads the records `<number of paths> <path>… <type> <message>`. */
function messagesOf(fields: readonly string[]): MergeMessage[] {
  const messages: MergeMessage[] = [];
  for (let at = 0; /^\d+$/.test(fields[at] ?? '');) {
    const count = Number(fields[at]);
    const paths = fields.slice(at + 1, at + 1 + count);
    const [type = '', text = ''] = fields.slice(at + 1 + count, at + 3 + count);
    messages.push({ paths, type, text: text.trim() });
    at += 3 + count;
  }
  return messages;
}
