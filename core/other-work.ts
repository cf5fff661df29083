import { parseMergeMessage } from './merge-message.ts';

/** Whose change a conflict is with: a task that was merged, or a person's own commit. */
export type OtherWork =
  | { by: 'task'; id: string; name: string; description: string | null }
  | { by: 'person'; commit: string; subject: string };

/** What the message of a commit begins with that joins the user's commits with accepted work; their branch follows. */
export const USER_JOIN = "Merge the user's commits on ";

const LONGEST = 300;
const MOST_TOLD = 4;

/** Who made a commit of the integration branch, by its message. */
export function otherWorkOf(commit: string, message: string): OtherWork {
  const note = parseMergeMessage(message);
  const paragraphs = message.trimEnd().split(/\n{2,}/);
  const subject = bounded(paragraphs[0] ?? '');
  if (note === null) return { by: 'person', commit, subject };
  const marker = `${note.task}: `;
  const at = subject.indexOf(marker);
  return {
    by: 'task',
    id: note.task,
    name: at === -1 ? subject : subject.slice(at + marker.length),
    // The last paragraph is the trailers.
    description: paragraphs.length > 2 ? bounded(paragraphs[1] ?? '') : null,
  };
}

/** Whose changes a conflict is with, as a sentence; empty where nobody is known. */
export function otherWorkWords(others: readonly OtherWork[]): string {
  if (others.length === 0) return '';
  const all = [...new Set(others.map((other) => wordsOf(other)))];
  const told = all.slice(0, MOST_TOLD);
  if (all.length > MOST_TOLD) told.push(`${all.length - MOST_TOLD} more`);
  return `It meets the change of ${told.join('; ')}.`;
}

function wordsOf(other: OtherWork): string {
  if (other.by === 'person') return `the user's own commit ${other.commit.slice(0, 10)} (${other.subject})`;
  return `task ${other.id} ${other.name}${other.description === null ? '' : ` (${other.description})`}`;
}

function bounded(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length <= LONGEST ? line : `${line.slice(0, LONGEST)}…`;
}
