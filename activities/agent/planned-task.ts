import { stringify } from 'yaml';
import { z } from 'zod';

/** A task as a planner thought of it. The catalogue checks what it comes to, as it checks any task file. */
export const plannedTaskSchema = z.object({
  id: z.string().min(1),
  name: z.string().min(1),
  description: z.string().optional(),
  depends_on: z.array(z.string()).default([]),
  /** Globs of the paths that it changes; none: it claims the whole repository. */
  writes: z.array(z.string()).default([]),
  /** The specification, Markdown. */
  body: z.string().min(1),
});
export type PlannedTask = z.infer<typeof plannedTaskSchema>;

/** A task file to be written: its name below the tasks directory, and its text. */
export interface PlannedFile {
  file: string;
  text: string;
}

/** The task file of a planned task. */
export function renderTaskFile(task: PlannedTask): PlannedFile {
  const manifest = {
    id: task.id,
    name: task.name,
    ...(task.description === undefined ? {} : { description: task.description }),
    ...(task.depends_on.length === 0 ? {} : { depends_on: task.depends_on }),
    ...(task.writes.length === 0 ? {} : { files: { writes: task.writes } }),
  };
  const front = stringify(manifest, { defaultStringType: 'PLAIN', lineWidth: 0 });
  return {
    file: `${fileNamePart(task.id)}-${fileNamePart(task.name)}.md`,
    text: `---\n${front}---\n${task.body.trim()}\n`,
  };
}

/** A name for a task, made of a heading: lower-case words joined by `-`, at most 40 characters; `task` if none is left. */
export function taskNameOf(heading: string): string {
  const words = heading
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return words.slice(0, 40).replace(/-+$/, '') || 'task';
}

/** Whatever a planner wrote, the file stays in its directory. */
function fileNamePart(text: string): string {
  return text.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[.-]+|[.-]+$/g, '') || 'task';
}
