import { hostId } from '../../activities/home.ts';
import { sealInput } from '../../activities/inputs/task-inputs.ts';
import { SignalboxError } from '../../core/failures.ts';
import type { InputValue } from '../../core/person.ts';
import type { WaitingTask } from '../../core/waiting.ts';
import type { Session } from '../session.ts';

/** The longest value of an input, in characters: it becomes a part of a history. */
const LONGEST_VALUE = 20_000;

/**
 * Inputs as they may leave this process: secret ones sealed for this host, where the checks run that get them.
 *
 * @throws SignalboxError `usage` for a value that is too long, or for a secret on another host than the run's
 */
export async function sealedInputs(
  session: Session,
  run: string,
  { task_id: task, inputs }: WaitingTask,
  values: ReadonlyMap<string, string>,
): Promise<Record<string, InputValue>> {
  const secret = new Set(inputs.filter((input) => input.secret).map(({ name }) => name));
  const { host } = (await session.reader.fold(session.project.id, run)).input.run.repository;
  const sealed: [string, InputValue][] = [];
  for (const [name, value] of values) {
    if (value.length > LONGEST_VALUE) {
      throw new SignalboxError('usage', `the input ${name} is longer than ${LONGEST_VALUE} characters`);
    }
    if (secret.has(name) && host !== hostId(session.home)) {
      throw new SignalboxError(
        'usage',
        `${name} is secret, and only the host where run ${run} was started can use it`,
        {
          hint: 'Answer on that host, with its SIGNALBOX_HOME.',
        },
      );
    }
    sealed.push([
      name,
      secret.has(name) ? sealInput(session.home, { project: session.project.id, run, task }, name, value) : { value },
    ]);
  }
  return Object.fromEntries(sealed);
}
