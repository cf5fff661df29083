import Table from 'cli-table3';
import { execa } from 'execa';
import { z } from 'zod';

const usage = z.object({ input_tokens: z.number(), cached_input_tokens: z.number(), output_tokens: z.number() });

/** What `signalbox run start -o json` prints, as far as the quickstart shows it. */
export const runResult = z.object({
  ok: z.literal(true),
  result: z.object({
    run_id: z.string(),
    status: z.string(),
    reason: z.string().nullable(),
    integration_branch: z.string(),
    base_commit: z.string(),
    head_commit: z.string(),
    usage,
    tasks: z.record(
      z.string(),
      z.object({
        name: z.string(),
        status: z.string(),
        reason: z.string().nullable(),
        attempts: z.number(),
        turns: z.number(),
        merged_commit: z.string().nullable(),
      }),
    ),
    web_ui: z.string().nullish(),
  }),
});
export type RunResult = z.infer<typeof runResult>['result'];

/** The run's tasks as a table. */
export function taskTable(run: RunResult): string {
  const table = new Table({
    head: ['task', 'name', 'status', 'attempts', 'turns', 'commit', 'reason'],
    style: { head: [], border: [] },
  });
  for (const [id, task] of Object.entries(run.tasks).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const commit = task.merged_commit?.slice(0, 10) ?? '';
    table.push([id, task.name, task.status, task.attempts, task.turns, commit, task.reason ?? '']);
  }
  return table.toString();
}

/** What the run added to the integration branch, as `git log --graph` draws it. */
export async function newCommits(repository: string, run: RunResult): Promise<string> {
  const range = `${run.base_commit}..${run.integration_branch}`;
  const { stdout } = await execa('git', ['log', '--graph', '--oneline', range], { cwd: repository });
  return stdout;
}

/** Tokens in one line. */
export function usageLine({ usage }: RunResult): string {
  const count = (tokens: number): string => tokens.toLocaleString('en');
  return `${count(usage.input_tokens)} input tokens (${count(usage.cached_input_tokens)} cached), ${count(usage.output_tokens)} output`;
}
