import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** One tool call and what the model says before it. */
export interface Step {
  say: string;
  command: string;
}

/** What the scripted model does for one task. */
export interface Script {
  /** The file's name without its ending; part of the ids of its tool calls. */
  name: string;
  task: string;
  /** The heading of the task's spec, by which its prompt is known. */
  title: string;
  /** Only for prompts with this text in them: a failed check's evidence. */
  when: string | undefined;
  steps: Step[];
  /** The final message of the turn. */
  done: string;
}

const DIRECTIVE = /^#(task|title|when|say|done) (.*)$/;

/**
 * Reads a script: a shell file with `#task`, `#title` and perhaps `#when` at its head, a `#say` before each step and
 * `#done` at the end. All that follows a `#say` is that step's command. The file also runs as a whole with `sh`.
 */
export function parseScript(name: string, text: string): Script {
  const script: Script = { name, task: '', title: '', when: undefined, steps: [], done: '' };
  for (const line of text.trimEnd().split('\n')) {
    const [, directive, rest = ''] = DIRECTIVE.exec(line) ?? [];
    const step = script.steps.at(-1);
    if (directive === 'say') script.steps.push({ say: rest, command: '' });
    else if (directive === 'when') script.when = rest;
    else if (directive === 'task' || directive === 'title' || directive === 'done') script[directive] = rest;
    else if (step !== undefined) step.command += `${line}\n`;
    else throw new SyntaxError(`${name}: "${line}" comes before the first #say`);
  }
  if (
    script.task === '' ||
    script.title === '' ||
    script.done === '' ||
    script.steps.some((step) => step.command === '')
  ) {
    throw new SyntaxError(`${name}: #task, #title, #done or a step's command is missing`);
  }
  return script;
}

/** All scripts of a folder, `*.sh`. */
export function loadScripts(folder: string): Script[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.sh'));
  return files.sort().map((file) => parseScript(basename(file, '.sh'), readFileSync(join(folder, file), 'utf8')));
}

/**
 * The script for a thread's prompts: of the task whose title comes first in them, the one whose `when` is there too,
 * else the one without. Undefined when no title is there.
 */
export function chooseScript(scripts: readonly Script[], prompts: string): Script | undefined {
  const found = scripts
    .map((script) => ({ script, at: prompts.indexOf(script.title) }))
    .filter(({ script, at }) => at >= 0 && (script.when === undefined || prompts.includes(script.when)));
  const first = Math.min(...found.map(({ at }) => at));
  const fitting = found.filter(({ at }) => at === first).map(({ script }) => script);
  return fitting.find(({ when }) => when !== undefined) ?? fitting[0];
}
