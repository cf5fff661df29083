import { SignalboxError } from '../../core/failures.ts';
import { NO_USAGE } from '../../core/usage.ts';
import { renderTaskFile, taskNameOf, type PlannedTask } from './planned-task.ts';
import type { Planner, PlanRequest, PlanResult } from './planner.ts';

const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const HEADING = /^##[ \t]+(.+?)[ \t]*#*$/;
const FIELD = /^(id|depends_on|writes):[ \t]*(.*)$/;

/**
 * A planner without a model: every `## ` section of the plan is a task. Lines `id: 003`, `depends_on: 001, 002` and
 * `writes: src/a.js, src/b/**` at the start of a section fill its manifest; a section without an id is numbered.
 */
export class MockPlanner implements Planner {
  readonly provider = 'mock';

  plan({ plan }: PlanRequest): Promise<PlanResult> {
    const files = splitPlan(plan).map(renderTaskFile);
    if (files.length === 0) {
      const hint = 'Give each task a section with a heading that starts with `## `.';
      return Promise.reject(new SignalboxError('refused', 'the plan has no `## ` section', { hint }));
    }
    return Promise.resolve({ files, usage: { ...NO_USAGE } });
  }
}

/** The sections of a plan as tasks, in order. Headings inside fenced blocks are none. */
export function splitPlan(plan: string): PlannedTask[] {
  const sections: { heading: string; lines: string[] }[] = [];
  let fence: string | null = null;
  for (const line of plan.split(/\r?\n/)) {
    const mark = FENCE.exec(line)?.[1];
    if (fence === null) fence = mark ?? null;
    else if (mark?.startsWith(fence) === true) fence = null;
    const heading = fence === null ? HEADING.exec(line)?.[1] : undefined;
    if (heading !== undefined) sections.push({ heading, lines: [] });
    else sections.at(-1)?.lines.push(line);
  }
  return sections.map(({ heading, lines }, index) => taskOf(heading, lines, String(index + 1).padStart(3, '0')));
}

function taskOf(heading: string, lines: readonly string[], number: string): PlannedTask {
  const fields = new Map<string, string>();
  let first = 0;
  for (const line of lines) {
    const match = FIELD.exec(line);
    if (match?.[1] === undefined && line.trim() !== '') break;
    if (match?.[1] !== undefined) fields.set(match[1], match[2] ?? '');
    first += 1;
  }
  return {
    id: fields.get('id')?.trim() || number,
    name: taskNameOf(heading),
    description: heading,
    depends_on: listed(fields.get('depends_on')),
    writes: listed(fields.get('writes')),
    body: lines.slice(first).join('\n').trim() || heading,
  };
}

function listed(text = ''): string[] {
  return text
    .replace(/^\[|\]$/g, '')
    .split(',')
    .map((item) => item.trim().replace(/^(["'`])(.*)\1$/, '$2'))
    .filter((item) => item !== '');
}
