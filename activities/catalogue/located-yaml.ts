import type { z } from 'zod';
import { isCollection, isMap, isNode, isPair, isScalar, LineCounter, type Node, parseDocument, visit } from 'yaml';
import type { Place, Problem } from '../../core/problems.ts';
import { checkSchema } from '../../core/schema-problems.ts';
import { reasonOf } from './reason.ts';

/** A YAML text that knows where its values stand. */
export interface LocatedYaml {
  /** The plain value; an empty text is an empty mapping. */
  value: unknown;
  /** What makes the text no YAML that we take; `value` is then of no use. */
  problems: Problem[];
  /** What is wrong with single texts, by the place (`line:column`) where their value starts. */
  textProblems: Map<string, Problem[]>;
  /** Where the value at a path stands, else its nearest parent. `key`: where its key stands. */
  place: (path: readonly (string | number)[], at?: 'key' | 'value') => Place;
}

/** How to read a YAML text. */
export interface YamlOptions {
  /** The file's name in problems. */
  file: string;
  /** How many lines of the file come before the text. */
  linesBefore?: number;
  /** Called for each text value; returns what it shall be, or what is wrong with it and at which offset of its source. */
  text?: (
    value: string,
    source: string,
  ) => { value: string } | { problems: { offset: number; message: string; hint?: string }[] };
}

/** Parses YAML 1.2, collecting every problem with its place. */
export function parseLocated(text: string, { file, linesBefore = 0, text: replace }: YamlOptions): LocatedYaml {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line) + linesBefore, column: Math.max(1, col) };
  };
  const start = (node: unknown): Place => placeAt(isNode(node) ? (node.range?.[0] ?? 0) : 0);
  const problems = [...document.errors, ...document.warnings].map((error): Problem => ({
    file,
    ...placeAt(error.pos[0]),
    message: error.code === 'MULTIPLE_DOCS' ? 'a second YAML document starts here' : sentence(error.message),
  }));
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) !== undefined) return;
      problems.push({ file, ...start(alias), message: `there is no anchor &${alias.source} before this alias` });
    },
  });
  const textProblems: LocatedYaml['textProblems'] = new Map();
  if (replace !== undefined) {
    visit(document, {
      Scalar(key, node) {
        if (key === 'key' || typeof node.value !== 'string') return;
        const from = node.range?.[0] ?? 0;
        const result = replace(node.value, text.slice(from, node.range?.[1] ?? from));
        if ('value' in result) {
          node.value = result.value;
          return;
        }
        const wrong = result.problems.map(({ offset, ...what }) => ({ file, ...placeAt(from + offset), ...what }));
        textProblems.set(keyOf(placeAt(from)), wrong);
      },
    });
  }
  const place: LocatedYaml['place'] = (path, at = 'value') => start(nodeAt(document.contents, path, at));
  let value: unknown;
  try {
    value = document.toJS() ?? {};
  } catch (error) {
    // Aliases that refer to nothing (told already), or that would expand without bound.
    if (problems.length === 0) problems.push({ file, ...placeAt(0), message: sentence(reasonOf(error)) });
  }
  return { value, problems, textProblems, place };
}

/** Checks a located value, and gives what it parses to or every problem with its place in the file. */
export function checkLocated<T>(
  yaml: LocatedYaml,
  schema: z.ZodType<T>,
  file: string,
): { value: T } | { problems: Problem[] } {
  if (yaml.problems.length > 0) return { problems: inOrder(yaml.problems) };
  const checked = checkSchema(schema, yaml.value);
  const inTexts = [...yaml.textProblems.values()].flat();
  if (checked.ok) return inTexts.length === 0 ? { value: checked.value } : { problems: inOrder(inTexts) };
  const found = checked.problems
    .map(({ path, at, ...what }): Problem => ({ file, ...yaml.place(path, at), ...what }))
    // A text that could not be completed has its problem already.
    .filter((problem) => !yaml.textProblems.has(keyOf(problem)));
  return { problems: inOrder([...inTexts, ...found]) };
}

function keyOf({ line, column }: Place): string {
  return `${line}:${column}`;
}

function inOrder(problems: readonly Problem[]): Problem[] {
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

function nodeAt(root: Node | null, path: readonly (string | number)[], at: 'key' | 'value'): Node | null {
  let node: Node | null = root;
  for (const [index, part] of path.entries()) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
      if (pair === undefined) return node;
      if (at === 'key' && index === path.length - 1) return isNode(pair.key) ? pair.key : node;
      // A key without a value has no node of its own.
      if (!isNode(pair.value) || (isScalar(pair.value) && pair.value.source === ''))
        return isNode(pair.key) ? pair.key : node;
      node = pair.value;
    } else {
      const item: unknown = isCollection(node) ? node.items[Number(part)] : undefined;
      if (isPair(item) || !isNode(item)) return node;
      node = item;
    }
  }
  return node;
}

/** The parser's message as one line without its full stop. */
function sentence(message: string): string {
  return (message.split('\n')[0] ?? '').replace(/[.:]$/, '');
}
