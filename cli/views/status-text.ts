import type { RunStatus, TaskStatus } from '../../core/description.ts';
import type { Output } from '../framework/output.ts';

const GOOD: readonly string[] = ['merged', 'completed', 'skipped'];
const BAD: readonly string[] = ['failed', 'blocked', 'cancelled'];
const PERSON: readonly string[] = ['waiting', 'paused', 'waiting_for_person'];

/** A status in its colour. */
export function statusText(status: RunStatus | TaskStatus, colors: Output['colors']): string {
  if (GOOD.includes(status)) return colors.green(status);
  if (BAD.includes(status)) return colors.red(status);
  if (PERSON.includes(status)) return colors.yellow(status);
  return status;
}
