import { CommandFailedError } from '../../core/failures.ts';
import type { BareRepository } from './bare-repository.ts';
import { startGitScript } from './git-command.ts';
import { LineProcess } from './line-process.ts';

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

/** How git is to merge. */
export interface MergeTreeOptions {
  /** The file of attributes that count; by default none do. */
  attributesFile?: string | null;
  signal?: AbortSignal | undefined;
}

/** Merges two commits without a work tree. */
export async function runMergeTree(
  bare: BareRepository,
  ours: string,
  theirs: string,
  options: MergeTreeOptions,
): Promise<MergedTrees> {
  const merges = cleanMerges.get(bare) ?? new CleanMerges(bare);
  cleanMerges.set(bare, merges);
  const clean = await merges.merge(ours, theirs, options);
  if (clean !== null) return { tree: clean, clean: true, entries: [], messages: [] };
  const { attributesFile = null, signal } = options;
  const config = attributesFile === null ? {} : { 'core.attributesFile': attributesFile };
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

const cleanMerges = new WeakMap<BareRepository, CleanMerges>();

/** Answers each line `OURS THEIRS ATTRIBUTES-FILE` with git's exit code and the tree; `merge-tree --stdin` keeps its answers. */
const MERGE_SCRIPT = `while read -r ours theirs attributes; do
  tree=$(git -c core.attributesFile="$attributes" merge-tree --write-tree --no-messages --allow-unrelated-histories \
    "$ours" "$theirs" 2>/dev/null </dev/null)
  printf '%s %s\\n' $? "\${tree%%[!0-9a-f]*}"
done`;

/**
 * Merges of one repository that are clean, all asked of one small process: starting git from a worker takes it longer than
 * git takes to merge.
 */
class CleanMerges {
  readonly #shell: LineProcess;

  constructor({ gitDir }: BareRepository) {
    this.#shell = new LineProcess(() => startGitScript(MERGE_SCRIPT, { gitDir }), 'git merge-tree');
  }

  /** The merged tree; `null` if there is none, or it went wrong: then git is to be asked why. */
  async merge(
    ours: string,
    theirs: string,
    { attributesFile = null, signal }: MergeTreeOptions,
  ): Promise<string | null> {
    const question = `${ours} ${theirs} ${attributesFile ?? '/dev/null'}\n`;
    try {
      const [answer = ''] = await this.#shell.ask(question, [(line) => /^\d{1,3} [0-9a-f]*$/.test(line)], signal);
      return /^0 ([0-9a-f]{40,64})$/.exec(answer)?.[1] ?? null;
    } catch {
      return null;
    }
  }
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
