import { identifierProblem } from './ids.ts';

/** What the message of the commit that merged a task says of it. */
export interface MergeNote {
  project: string;
  task: string;
  /** SHA-256 of the task file's bytes, hexadecimal: what the task said when it was merged. */
  digest: string;
  run: string;
  /** Attempts are numbered from 1 within the run: so many it took. */
  attempt: number;
}

/** How a task's work lands: by a merge commit whose second parent it is, or as a commit with one parent. */
export type MergeStyle = 'merge' | 'squash';

/** Checks that had to pass for the commit to land. */
export interface MergeCheck {
  name: 'lint' | 'doctor' | 'integration';
  /** Of the definition of its commands, hexadecimal. */
  digest: string;
}

/** What else the message says, for people. */
export interface MergeFacts {
  name: string;
  description: string | undefined;
  /** By default `merge`. */
  style?: MergeStyle;
  checks?: readonly MergeCheck[];
  /** Who judged the work, and how, in a few words. */
  validators?: readonly { name: string; verdict: string }[];
  /** `Name <email>`. */
  coAuthor?: string | null;
}

/**
 * What each check was about. Tasks that land together are checked together: the tree of a commit between two others may
 * never have been checked by itself, and the branch never pointed to it.
 */
const CHECKED = {
  lint: "on the task's own result",
  doctor: "on the task's own result",
  integration: 'on the tree that landed',
} as const;

const SUBJECTS: Readonly<Record<MergeStyle, string>> = { merge: 'Merge task', squash: 'Task' };

const TRAILERS = new RegExp(
  [
    '^Signalbox-Project: (?<project>\\S+)',
    'Signalbox-Run: (?<run>\\S+)',
    'Signalbox-Task: (?<task>\\S+)',
    'Signalbox-Attempt: (?<attempt>[1-9]\\d{0,8})',
    'Signalbox-Task-Digest: sha256:(?<digest>[0-9a-f]{64})(?:\\n|$)',
  ].join('\\n'),
);

/**
 * The message of the commit that merges a task. Its last paragraph, in the form of git's trailers, lets later runs know
 * the task again, also without Signalbox's own data. Whatever a task, an agent or a model says goes in as one line: it
 * can start no paragraph.
 */
export function mergeMessage(note: MergeNote & MergeFacts): string {
  const trailers = [
    `Signalbox-Project: ${note.project}`,
    `Signalbox-Run: ${note.run}`,
    `Signalbox-Task: ${note.task}`,
    `Signalbox-Attempt: ${note.attempt}`,
    `Signalbox-Task-Digest: sha256:${note.digest}`,
    ...(note.checks ?? []).map(({ name, digest }) => `Signalbox-Check: ${name} sha256:${digest} ${CHECKED[name]}`),
    ...(note.validators ?? []).map(({ name, verdict }) => `Signalbox-Validator: ${oneLine(`${name} ${verdict}`)}`),
    ...(note.coAuthor == null ? [] : [`Co-authored-by: ${oneLine(note.coAuthor)}`]),
  ];
  const first = subject(note.style ?? 'merge', note.task, note.name);
  const paragraphs = [first, oneLine(note.description ?? ''), trailers.join('\n')];
  return `${paragraphs.filter((paragraph) => paragraph !== '').join('\n\n')}\n`;
}

/**
 * Reads what {@link mergeMessage} wrote; `null` for any other message. It reads the last paragraph itself, and does not
 * leave it to git, for which a line of scissors ends a message earlier. Lines may have been added below the trailers.
 */
export function parseMergeMessage(message: string): MergeNote | null {
  const text = message.trimEnd();
  const { project, run, task, attempt, digest } = TRAILERS.exec(text.slice(text.lastIndexOf('\n\n') + 2))?.groups ?? {};
  if (!project || !run || !task || !attempt || !digest) return null;
  if (!text.startsWith(subject('merge', task, '')) && !text.startsWith(subject('squash', task, ''))) return null;
  const known = { project, run, task };
  for (const kind of ['project', 'run', 'task'] as const) {
    if (identifierProblem(kind, known[kind]) !== null) return null;
  }
  return { ...known, attempt: Number(attempt), digest };
}

/** Do both say the same of a task? */
export function isSameMerge(one: MergeNote, other: MergeNote): boolean {
  return (['project', 'run', 'task', 'attempt', 'digest'] as const).every((key) => one[key] === other[key]);
}

function subject(style: MergeStyle, task: string, name: string): string {
  return `${SUBJECTS[style]} ${task}: ${oneLine(name)}`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
