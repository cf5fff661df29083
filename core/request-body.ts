/** What a request's text tells of the work. */
export interface RequestReport {
  project: string;
  run: string;
  task: string;
  name: string;
  description: string | undefined;
  attempt: number;
  /** Commands that passed on the work; empty if none is configured. */
  checks: readonly string[];
  /** The integration checks have passed on the commit that the request shows. */
  verified: boolean;
  /** As `git diff --stat` tells it. */
  changes: string;
  /** What a person should know of what it changes, see `sensitiveChanges`. */
  findings: readonly string[];
  /** What the sandbox that it was made in lets through, see `loosenings`. */
  loosened: readonly string[];
}

const BEGIN = '<!-- signalbox: begin; what is written between these two lines is replaced -->';
const END = '<!-- signalbox: end -->';
const SECTION = /<!-- signalbox: begin\b[^>]*-->[\s\S]*?<!-- signalbox: end -->/;

/** The longest body that GitHub takes, in characters, less than that to be sure. */
const LONGEST = 60_000;

/** The title of a task's request. */
export function requestTitle({ task, name }: Pick<RequestReport, 'task' | 'name'>): string {
  return `${task}: ${oneLine(name)}`.slice(0, 250);
}

/**
 * The text of a request: our section in place of the one that was there, and all that people wrote around it as it was. Where
 * there is none, it comes last.
 *
 * @param before the request's text, `null` for a new one
 */
export function requestBody(report: RequestReport, before: string | null): string {
  const section = `${BEGIN}\n${sectionOf(report)}\n${END}`;
  const text = before ?? '';
  if (SECTION.test(text)) return text.replace(SECTION, () => section);
  return text.trim() === '' ? section : `${text.trimEnd()}\n\n${section}`;
}

function sectionOf(report: RequestReport): string {
  const { task, description, attempt, checks, verified, changes, findings, loosened, project, run } = report;
  const proven = verified ? 'passed on exactly this tree' : 'are still to pass on the merged tree';
  const checked =
    checks.length === 0
      ? '**No check is configured**: nothing proves this work.'
      : `The integration checks ${proven}:\n\n${fenced(checks.join('\n'))}`;
  const paragraphs = [
    // First, where no long or strange description can cut them off or hide them.
    listed('**To be looked at**, since the checks cannot tell. This work', findings),
    listed('**The sandbox** that agents and checks ran in is looser than the default one', loosened),
    plain(description ?? ''),
    checked,
    changes === '' ? '' : `What it changes:\n\n${fenced(changes)}`,
    `Task \`${task}\` of run \`${run}\`, project \`${project}\`, attempt ${attempt}; made by Signalbox.`,
  ];
  const text = paragraphs.filter((paragraph) => paragraph !== '').join('\n\n');
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST)}\n\n…`;
}

/** Text of others must not end our section, nor hide something in it. */
function plain(text: string): string {
  return text.replaceAll('<!--', '&lt;!--').replaceAll('-->', '--&gt;').trim();
}

function listed(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${title}:\n\n${fenced(lines.map(oneLine).join('\n'))}`;
}

/** Verbatim, in a fence that is longer than any in it. */
function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = '`'.repeat(longest + 1);
  // Markers count for us inside of a fence too.
  return `${fence}\n${text.replaceAll('<!--', '<! --').trimEnd()}\n${fence}`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
