import type { LogEvent } from '../../workers/runs/task-log.ts';
import type { Output } from '../framework/output.ts';
import { transcriptLine } from './codex-events.ts';
import { displayLines, displayText } from './text.ts';

/** Characters of one stream that a single JSON object holds at most; the files hold all. */
const MOST_CHARACTERS = 1_000_000;

/** An event of a task's log for people, or `null` for one that says nothing to them. */
export function logText(event: LogEvent, colors: Output['colors']): string | null {
  switch (event.type) {
    case 'step':
      return colors.bold(`── attempt ${event.attempt}, ${event.step} ──`);
    case 'end':
      return event.exit_status === 0
        ? null
        : colors.red(`── ${event.step} ended with status ${event.exit_status ?? 'unknown'} ──`);
    case 'connection': {
      const target = displayText(event.target, 120);
      if (event.allowed) return colors.dim(`── connected to ${target} ──`);
      return colors.yellow(`── not connected to ${target}: ${displayText(event.reason ?? 'refused')} ──`);
    }
    case 'line':
      if (event.stream === 'stderr') return colors.dim(displayLines(event.line));
      return event.kind === 'agent' ? transcriptLine(event.line, colors) : displayLines(event.line);
  }
}

/** One step of a task's log, for scripts. */
export interface CollectedStep {
  attempt: number;
  step: string;
  kind: string;
  exit_status: number | null;
  stdout: string;
  stderr: string;
  /** What was decided about connections to hosts besides the model gateway. */
  connections: { at: string; target: string; allowed: boolean; reason?: string | undefined }[];
}

/** Gathers the events of a log into one object a step. */
export class StepCollector {
  readonly steps: CollectedStep[] = [];

  add(event: LogEvent): void {
    const { attempt, step, kind } = event;
    if (event.type === 'step')
      this.steps.push({ attempt, step, kind, exit_status: null, stdout: '', stderr: '', connections: [] });
    const current = this.steps.find((known) => known.attempt === attempt && known.step === step);
    if (current === undefined) return;
    if (event.type === 'connection') {
      const { at, target, allowed, reason } = event;
      current.connections.push({ at, target, allowed, ...(reason !== undefined && { reason }) });
    }
    if (event.type === 'end') current.exit_status = event.exit_status;
    if (event.type === 'line' && current[event.stream].length < MOST_CHARACTERS)
      current[event.stream] += `${event.line}\n`;
  }
}
