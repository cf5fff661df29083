import { SignalboxError } from '../../../core/failures.ts';
import { defineCommand } from '../../framework/command.ts';
import { argument, count, flag, text } from '../../framework/options.ts';
import { chosenRun, withSession } from '../../session.ts';

/** What is printed of a patch at most, bytes; in JSON less. */
const LIMIT = 64 * 1024 ** 2;
const JSON_LIMIT = 1024 ** 2;

export const taskDiff = defineCommand({
  name: 'task diff',
  summary: 'Show what an attempt wrote, whether it was merged, failed or was cancelled',
  description:
    'It is compared with what the attempt started from. While an attempt goes on, it is what the last turn of its agent left. ' +
    'Redirected to a file, it is a patch for "git apply".',
  arguments: { task: argument('task', "the task's id") },
  options: {
    run: text('--run <run>', "the run's id; by default the project's newest"),
    attempt: count('--attempt <n>', 'which attempt; by default the newest that left something'),
    stat: flag('--stat', 'only how much changed in each file'),
    nameOnly: flag('--name-only', 'only the names of the changed files'),
  },
  examples: [
    { command: 'signalbox task diff 003', help: 'the newest attempt' },
    { command: 'signalbox task diff 003 --attempt 1 --stat', help: 'how much the first one changed' },
    { command: 'signalbox task diff 003 > 003.patch', help: 'for "git apply"' },
  ],
  run: async (context, { arguments: { task }, options }) => {
    const { stat, nameOnly, attempt } = options;
    if (stat && nameOnly) throw new SignalboxError('usage', '--stat and --name-only exclude each other');
    return await withSession(context, {}, async (session) => {
      const { taskDiff: readDiff } = await import('../../../workers/runs/task-diff.ts');
      const { output } = context;
      const { print, ...diff } = await readDiff(session, { run: await chosenRun(session, options.run), task, attempt });
      if (diff.in_progress) output.progress(`attempt ${diff.attempt} goes on: this is what its last turn left`);
      if (diff.files.length === 0) output.progress(`attempt ${diff.attempt} changed no file`);
      const as = stat ? 'stat' : nameOnly ? 'names' : 'patch';
      const limit = output.json ? JSON_LIMIT : LIMIT;
      const columns = output.columns === null ? {} : { columns: output.columns };
      const { bytes, truncated } = await print({ as, limit, colors: output.colors.isColorSupported, ...columns });
      if (truncated) output.warn(`it is cut after ${limit / 1024 ** 2} MiB; --stat shows all files`);
      if (!output.json) output.raw(bytes);
      const patch = as === 'patch' ? bytes.toString('utf8') : null;
      return { result: { ...diff, patch, truncated }, text: '' };
    });
  },
});
