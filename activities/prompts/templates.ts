import { type Dirent, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { didYouMean } from '../../core/nearest.ts';
import { ConfigError, type Problem } from '../../core/problems.ts';
import { PROMPT_NAMES, type PromptTemplates } from '../../core/prompt.ts';
import { reasonOf } from '../catalogue/reason.ts';
import { readTextFile } from '../catalogue/read-text.ts';
import { packageRoot } from '../package-root.ts';
import { codeOf } from '../system-errors.ts';
import { templateProblems } from './template-problems.ts';

/** Where a project keeps templates of its own, relative to its root. */
export const PROMPT_DIRECTORY = '.signalbox/prompts';

/** The templates that come with Signalbox. */
export function builtInPrompts(): PromptTemplates {
  const read = (name: string): string =>
    readFileSync(path.join(packageRoot(), 'activities', 'prompts', `${name}.md`), 'utf8');
  return { task: read('task'), continue: read('continue') };
}

/**
 * The templates of a project: its own where it has one, else those that come with Signalbox.
 *
 * @param root the directory that holds `.signalbox`
 * @throws ConfigError with everything that is wrong in them
 */
export function loadPrompts(root: string): PromptTemplates {
  const prompts = builtInPrompts();
  const problems: Problem[] = [];
  for (const entry of entriesOf(path.join(root, PROMPT_DIRECTORY))) {
    const file = `${PROMPT_DIRECTORY}/${entry.name}`;
    const at = (message: string, hint?: string): void => {
      problems.push({ file, line: 1, column: 1, message, ...(hint === undefined ? {} : { hint }) });
    };
    const name = PROMPT_NAMES.find((known) => `${known}.md` === entry.name);
    if (name === undefined) {
      const files = PROMPT_NAMES.map((known) => `${known}.md`);
      at('is no prompt of Signalbox', didYouMean(entry.name, files) ?? `there are ${files.join(' and ')}`);
      continue;
    }
    try {
      const read = readTextFile(path.join(root, file));
      if ('problem' in read) {
        at(read.problem);
        continue;
      }
      prompts[name] = read.text;
      problems.push(...templateProblems(file, read.text));
    } catch (error) {
      at(`cannot be read: ${reasonOf(error)}`);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return prompts;
}

function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true }).filter(({ name }) => !name.startsWith('.'));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw new ConfigError([
      { file: PROMPT_DIRECTORY, line: 1, column: 1, message: `cannot be listed: ${reasonOf(error)}` },
    ]);
  }
}
