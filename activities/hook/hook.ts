import type { PersonWait } from '../../core/person.ts';
import { personCommands } from '../../core/person-commands.ts';
import type { RunRef } from '../../core/run-ref.ts';

/** What a hook is told, as JSON: the words of docs/operations.md. */
export interface HookMessage {
  event: 'waiting';
  project: string;
  run: string;
  task: string;
  name: string;
  /** Grows with each wait of the task: the same one told twice has the same number. */
  wait: number;
  kind: PersonWait['kind'];
  question: string;
  /** ISO 8601; `null`: it waits for as long as it takes. */
  deadline: string | null;
  /** What to type, the likeliest first. */
  commands: string[];
  /** The run in the Web UI, where its address is known. */
  web_ui: string | null;
}

/** Tells somebody outside that a task waits. */
export interface Hook {
  /**
   * Delivers a message once. Aborting ends it at once.
   *
   * @throws SignalboxError whose message has nothing of the command or the address in it, since either may hold a secret
   */
  call(message: HookMessage, signal: AbortSignal): Promise<void>;
}

/** The message for a task that waits. */
export function hookMessage(
  asked: { run: RunRef; task: string; name: string; wait: PersonWait },
  webUi: string | null,
): HookMessage {
  const { run, task, name, wait } = asked;
  return {
    event: 'waiting',
    project: run.project,
    run: run.run,
    task,
    name,
    wait: wait.id,
    kind: wait.kind,
    question: wait.question,
    deadline: wait.deadline === null ? null : new Date(wait.deadline).toISOString(),
    commands: personCommands(run.run, task, wait),
    web_ui: webUi,
  };
}
