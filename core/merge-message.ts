import { identifierProblem } from './ids.ts';

/** What the message of a merge commit says of the task that it merged. */
export interface MergeNote {
  project: string;
  task: string;
  /** SHA-256 of the task file's bytes, hexadecimal: what the task said when it was merged. */
  digest: string;
  run: string;
  attempt: number;
}

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
 * the task again, also without Signalbox's own data. The description goes in as one line: it can start no paragraph.
 */
export function mergeMessage(note: MergeNote & { name: string; description: string | undefined }): string {
  const trailers = [
    `Signalbox-Project: ${note.project}`,
    `Signalbox-Run: ${note.run}`,
    `Signalbox-Task: ${note.task}`,
    `Signalbox-Attempt: ${note.attempt}`,
    `Signalbox-Task-Digest: sha256:${note.digest}`,
  ];
  const paragraphs = [subject(note.task, note.name), oneLine(note.description ?? ''), trailers.join('\n')];
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
  if (!text.startsWith(subject(task, ''))) return null;
  const known = { project, run, task };
  for (const kind of ['project', 'run', 'task'] as const) {
    if (identifierProblem(kind, known[kind]) !== null) return null;
  }
  return { ...known, attempt: Number(attempt), digest };
}

function subject(task: string, name: string): string {
  return `Merge task ${task}: ${oneLine(name)}`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
