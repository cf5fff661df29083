import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { QUESTION_FILE } from '../../core/prompt.ts';
import type { BareRepository } from '../git/bare-repository.ts';
import { removeAll } from '../git/remove-tree.ts';
import { workspaceAt } from '../git/workspace.ts';
import type { Redactor } from '../redaction/redactor.ts';

/** Bytes of a question that reach a person. */
const MOST_BYTES = 8 * 1024;

const recordSchema = z.object({ question: z.string() });

/** What {@link takeQuestion} looks at. */
export interface QuestionRequest {
  bare: BareRepository;
  /** The attempt's. */
  directory: string;
  base: string;
  /** Whose question it is. */
  step: string;
  redactor: Redactor;
}

/**
 * Takes what an agent asks out of its work tree, so that no commit holds it. Every process of the agent must be dead.
 * What it left in the place of the file is removed whatever it is, and only a regular file in a real directory is read.
 * A second call for the same step gives the same question. A file that the base has at that place is no question.
 *
 * @returns `null` if nothing is asked
 */
export async function takeQuestion(request: QuestionRequest): Promise<string | null> {
  const { bare, directory, base, step, redactor } = request;
  // Beside the attempt's directory, where no sandbox writes.
  const record = `${directory}.question-${step}.json`;
  const known = existsSync(record) ? recordSchema.parse(JSON.parse(readFileSync(record, 'utf8'))).question : null;
  const file = questionIn(workspaceAt(directory).tree);
  if (file === null || (await isInBase(bare, base))) return known;
  const asked = known ?? readQuestion(file);
  const question = asked === null ? null : redactor.text(asked);
  if (known === null && question !== null) {
    writeFileSync(`${record}.new`, JSON.stringify({ question }), { mode: 0o600 });
    renameSync(`${record}.new`, record);
  }
  removeAll(file);
  return question;
}

/** Where the question lies, or `null`. What lies behind a link that stands for its directory is none of ours. */
function questionIn(tree: string): string | null {
  for (const directory of [tree, path.join(tree, path.dirname(QUESTION_FILE))]) {
    const stat = lstatSync(directory, { throwIfNoEntry: false });
    if (stat?.isDirectory() !== true) return null;
    if ((stat.mode & 0o700) !== 0o700) chmodSync(directory, 0o700 | (stat.mode & 0o777));
  }
  const file = path.join(tree, QUESTION_FILE);
  return lstatSync(file, { throwIfNoEntry: false }) === undefined ? null : file;
}

async function isInBase(bare: BareRepository, base: string): Promise<boolean> {
  const { stdout } = await bare.git(['ls-tree', '-z', '--name-only', base, '--', QUESTION_FILE]);
  return stdout.length > 0;
}

function readQuestion(file: string): string | null {
  const stat = lstatSync(file);
  if (!stat.isFile()) return null;
  if ((stat.mode & 0o400) === 0) chmodSync(file, 0o600);
  const handle = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (!fstatSync(handle).isFile()) return null;
    const buffer = Buffer.alloc(MOST_BYTES + 1);
    const count = readSync(handle, buffer, 0, buffer.length, 0);
    const text = plain(buffer.toString('utf8', 0, Math.min(count, MOST_BYTES)));
    if (text === '') return null;
    return count > MOST_BYTES ? `${text}\n… (cut after ${MOST_BYTES} bytes)` : text;
  } finally {
    closeSync(handle);
  }
}

/** Without what a terminal would act on. */
function plain(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what it removes
  const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
  return text.replaceAll('\r\n', '\n').replaceAll(controls, '').trim();
}
