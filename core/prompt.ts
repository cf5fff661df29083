import type { Evidence } from './evidence.ts';
import type { Task } from './task-file.ts';

/** What a prompt is made from. */
export interface PromptFacts {
  task: Task;
  attempt: number;
  turn: number;
  /** The agent's thread knows the specification already: only what is new is said. */
  resumed: boolean;
  /** What earlier attempts, or the last turn, came to; oldest first. */
  evidence: readonly Evidence[];
  /** Commands that the result must pass. */
  checks: readonly string[];
}

/** The text that an agent is given for a turn. */
export function renderPrompt(facts: PromptFacts): string {
  const { manifest, body } = facts.task;
  const parts = facts.resumed
    ? [`Task ${manifest.id}: ${manifest.name} — attempt ${facts.attempt}, turn ${facts.turn}.`]
    : [
        `Task ${manifest.id}: ${manifest.name} — attempt ${facts.attempt}.`,
        manifest.description ?? '',
        'You work alone in a clone of the repository; the current directory is its work tree. Change the files that the ' +
          'task needs and nothing else. Your changes are taken from the work tree when you are done: you need not commit, ' +
          'and must not push, switch branches or rewrite history.',
        scopeOf(facts.task),
        facts.checks.length === 0
          ? ''
          : `Your work is checked on a fresh checkout with:\n${facts.checks.map((command) => `    ${command}`).join('\n')}\nRun it yourself before you finish.`,
        `# Specification\n\n${body.trim()}`,
      ];
  return [...parts, ...facts.evidence.map(toldEvidence)].filter((part) => part !== '').join('\n\n') + '\n';
}

function scopeOf(task: Task): string {
  const writes = task.manifest.files.writes;
  return writes.length === 0 ? '' : `You may change: ${writes.join(', ')}.`;
}

function toldEvidence(evidence: Evidence): string {
  const head = `# Attempt ${evidence.attempt}: ${evidence.summary}`;
  const kept = evidence.commit === null ? '' : `\n\nThe work of that attempt is commit ${evidence.commit}.`;
  const detail = evidence.detail.trim() === '' ? '' : `\n\n${fence(evidence.detail.trim())}`;
  return `${head}${kept}${detail}`;
}

/** Fences text with more backticks than it holds in a row. */
function fence(text: string): string {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const mark = '`'.repeat(longest + 1);
  return `${mark}\n${text}\n${mark}`;
}
