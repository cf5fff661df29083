import { defineCommand } from '../../framework/command.ts';
import { argument, count, flag, text } from '../../framework/options.ts';
import { chosenRun, withSession } from '../../session.ts';

export const taskLogs = defineCommand({
  name: 'task logs',
  summary: "Print an attempt's agent transcripts and check outputs",
  description: 'Only what lies on this host is printed. With --follow and -o json: one JSON object a line.',
  arguments: { task: argument('task', "the task's id") },
  options: {
    run: text('--run <run>', "the run's id; by default the project's newest"),
    attempt: count('--attempt <n>', 'which attempt; by default the newest'),
    follow: flag('-f, --follow', 'go on until the task ends'),
  },
  examples: [
    { command: 'signalbox task logs 003', help: 'the newest attempt' },
    { command: 'signalbox task logs 003 --follow', help: 'what the agent does now' },
  ],
  run: async (context, { arguments: { task }, options }) =>
    await withSession(context, {}, async (session) => {
      const { taskLog } = await import('../../../workers/runs/task-log.ts');
      const { logText, StepCollector } = await import('../../views/log-view.ts');
      const { output, interrupted } = context;
      const { attempt, follow } = options;
      const run = await chosenRun(session, options.run);
      const collected = new StepCollector();
      for await (const event of taskLog(session, { run, task, attempt, follow }, interrupted)) {
        const line = logText(event, output.colors);
        if (output.json && !follow) collected.add(event);
        else if (output.json || line !== null) output.event(event, line ?? '');
      }
      if (interrupted.aborted) return { result: undefined, text: '', exitCode: 130, printed: true };
      return { result: { run_id: run, task_id: task, steps: collected.steps }, text: '', printed: follow };
    }),
});
