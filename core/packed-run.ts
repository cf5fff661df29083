import { newProgress, type RunState, type TaskProgress } from './run-state.ts';
import type { RunInput } from './workflow-inputs.ts';

/** A run's state without its tasks. */
export interface RunHead extends Omit<RunState, 'tasks'> {
  /** What the names of the tasks' branches begin with, before the task's id. */
  branches: string | null;
}

/**
 * A task's progress for continue-as-new: what every task has, by place instead of by name, and what else differs from a
 * task to which nothing happened. Branch: `true` where it is the run's prefix and the task's id.
 */
export type PackedTask = [
  id: string,
  status: TaskProgress['status'],
  counts: [attempts: number, turns: number, seq: number],
  usage: [input: number, cached: number, output: number, dollars: number],
  branch: string | true | null,
  commit: string | null,
  mergedCommit: string | null,
  times: [startedAt: number | null, endedAt: number | null],
  rest?: Partial<TaskProgress>,
];

/** The arguments of the `run` workflow. The tasks are in several, so that no payload grows large. */
export type RunArguments = [input: RunInput, ...tasks: PackedTask[][]];

/** Tasks in one argument; some 40 KB. */
const CHUNK = 250;

const PACKED = [
  'status',
  'attempts',
  'turns',
  'seq',
  'usage',
  'branch',
  'commit',
  'mergedCommit',
  'startedAt',
  'endedAt',
] as const satisfies readonly (keyof TaskProgress)[];

/** A run's input with a state to go on from. */
export function packRun(input: RunInput, { tasks, ...head }: RunState): RunArguments {
  const entries = Object.entries(tasks);
  const [id, first] = entries.find(([name, task]) => task.branch?.endsWith(name) === true) ?? [];
  const branches = first?.branch?.slice(0, -(id ?? '').length) ?? null;
  const packed = entries.map(([name, task]) => packTask(name, task, branches));
  const chunks: PackedTask[][] = [];
  for (let at = 0; at < packed.length; at += CHUNK) chunks.push(packed.slice(at, at + CHUNK));
  return [{ ...input, state: { ...head, branches } }, ...chunks];
}

/** The state that a run goes on from, or `null` for one that begins. */
export function unpackRun(input: RunInput, ...chunks: readonly PackedTask[][]): RunState | null {
  if (input.state === undefined) return null;
  const { branches, ...head } = input.state;
  return { ...head, tasks: Object.fromEntries(chunks.flat().map((packed) => unpackTask(packed, branches))) };
}

function packTask(id: string, task: TaskProgress, branches: string | null): PackedTask {
  const { usage } = task;
  const packed: PackedTask = [
    id,
    task.status,
    [task.attempts, task.turns, task.seq],
    [usage.input_tokens, usage.cached_input_tokens, usage.output_tokens, usage.cost_usd],
    task.branch !== null && task.branch === `${branches ?? ''}${id}` ? true : task.branch,
    task.commit,
    task.mergedCommit,
    [task.startedAt, task.endedAt],
  ];
  const fresh = new Map<string, unknown>(Object.entries(newProgress()));
  const rest = Object.entries(task).filter(
    ([key, value]) =>
      !PACKED.some((known) => known === key) && JSON.stringify(value) !== JSON.stringify(fresh.get(key)),
  );
  if (rest.length > 0) packed[8] = Object.fromEntries(rest);
  return packed;
}

function unpackTask(packed: PackedTask, branches: string | null): [string, TaskProgress] {
  const [id, status, [attempts, turns, seq], usage, branch, commit, mergedCommit, [startedAt, endedAt], rest] = packed;
  const [input_tokens, cached_input_tokens, output_tokens, cost_usd] = usage;
  return [
    id,
    {
      ...newProgress(),
      status,
      attempts,
      turns,
      seq,
      usage: { input_tokens, cached_input_tokens, output_tokens, cost_usd },
      branch: branch === true ? `${branches ?? ''}${id}` : branch,
      commit,
      mergedCommit,
      startedAt,
      endedAt,
      ...rest,
    },
  ];
}
