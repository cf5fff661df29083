import type { Planning } from '../../workers/plan.ts';
import { usageText } from './run-view.ts';
import { displayLines, plural } from './text.ts';

/** The task files of a plan: their names when they were written, else their content. */
export function planText({ files, written, usage }: Planning): string {
  const used = usageText(usage);
  const lines = written
    ? files.map((file) => `wrote ${displayLines(file.path)}`)
    : files.flatMap((file) => [`── ${displayLines(file.path)} ──`, displayLines(file.text)]);
  const next = written ? '. See "signalbox run start --dry-run".' : '. Nothing was written.';
  return [...lines, `${plural(files.length, 'task')}${used === '' ? '' : ` · ${used}`}${next}`].join('\n');
}
