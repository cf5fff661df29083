import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { BARE_VARIABLES, FULL_VARIABLES } from '../../../activities/prompts/sample-variables.ts';
import { templateProblems } from '../../../activities/prompts/template-problems.ts';
import { builtInPrompts, loadPrompts, PROMPT_DIRECTORY } from '../../../activities/prompts/templates.ts';
import { formatProblem } from '../../../core/problems.ts';
import { promptVariablesSchema } from '../../../core/prompt.ts';

const problems = (text: string): string[] => templateProblems('task.md', text).map(formatProblem);

test('templates are tried with values of the form that prompts have', () => {
  for (const sample of [FULL_VARIABLES, BARE_VARIABLES]) expect(promptVariablesSchema.parse(sample)).toEqual(sample);
});

describe('a template', () => {
  test.each(Object.entries(builtInPrompts()))('that comes with Signalbox, %s, is right', (_, text) => {
    expect(problems(text)).toEqual([]);
  });

  test.each([
    ['a\n {{ task.nmae }}', 'task.md:2:5  unknown variable "task.nmae"; did you mean "name"?'],
    ['{{ tusk }}', 'task.md:1:4  unknown variable "tusk"; did you mean "task"?'],
    [
      '{% for one in earlier %}{{ one.sumary }}{% endfor %}',
      'task.md:1:28  unknown variable "one.sumary"; did you mean "summary"?',
    ],
    ['{% assign last = earlier | last %}{{ last.zzzz }}', 'task.md:1:38  unknown variable "last.zzzz"'],
    ['{{ task.id | upcse }}', 'task.md:1:1  unknown filter "upcse"; did you mean "upcase"?'],
    ['{% fi turn %}', 'task.md:1:1  unknown tag "fi"; did you mean "if"?'],
    ['{% fi turn %}{% else %}{% endif %}', 'task.md:1:1  unknown tag "fi"; did you mean "if"?'],
    ['{% if turn %}{{ turn | shout }}{% endif %}', 'task.md:1:14  unknown filter "shout"'],
    ['{{ turn }}{% endif %}', 'task.md:1:11  unknown tag "endif"'],
    ['{% if turn %}', 'task.md:1:1  tag {% if turn %} not closed'],
    ['x {{ turn', 'task.md:1:3  output "{{ turn" not closed'],
    ['{{ task.constructor.name }}', 'task.md:1:4  unknown variable "task.constructor"'],
  ])('%j is wrong, with its place', (text, problem) => {
    expect(problems(text)).toEqual([problem]);
  });

  test('is looked at in all its branches, whatever they depend on', () => {
    const text = [
      '{% if turn > 99 %}{{ a1 }}{% elsif attempt > 99 %}{{ a2 }}{% else %}{{ a3 }}{% endif %}',
      '{% unless task %}{{ b1 }}{% else %}{{ b2 }}{% endunless %}',
      '{% case evidence.kind %}{% when "no_change" %}{{ c1 }}{% else %}{{ c2 }}{% endcase %}',
      '{% for one in checks %}{% break %}{{ d1 }}{% else %}{{ d2 }}{% endfor %}',
    ].join('\n');
    const found = problems(text).map((line) => /"(.*)"/.exec(line)?.[1]);
    expect(found.sort()).toEqual(['a1', 'a2', 'a3', 'b1', 'b2', 'c1', 'c2', 'd1', 'd2']);
  });

  test('is told where something is not always there', () => {
    const hint = 'it is not there in every turn: put an `{% if %}` around it';
    expect(problems('{{ earlier.first.summary }}')).toEqual([`task.md:1:4  unknown variable "earlier.first"; ${hint}`]);
    expect(problems('{% if earlier.size > 0 %}{{ earlier.first.summary }}{% endif %}')).toEqual([]);
    expect(problems('{{ evidence.summary }}')).toEqual([]);
  });

  test.each(['include "x"', 'render "/etc/passwd"', 'layout "x"', 'block x'])(
    'cannot read files by {%% %s %%}',
    (tag) => {
      expect(problems(`{% ${tag} %}`)[0]).toContain('a template cannot read files');
    },
  );

  test.each(["'now' | date: '%s'", 'checks | sample'])(
    'cannot give another text each time by {{ %s }}',
    (expression) => {
      expect(problems(`{{ ${expression} }}`)[0]).toContain('unknown filter');
    },
  );
});

describe('the templates of a project', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(path.join(tmpdir(), 'signalbox-prompts-'));
    mkdirSync(path.join(root, PROMPT_DIRECTORY), { recursive: true });
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));
  const write = (name: string, text: string): void => writeFileSync(path.join(root, PROMPT_DIRECTORY, name), text);

  test('take the place of those that come with Signalbox, one by one', () => {
    expect(loadPrompts(root)).toEqual(builtInPrompts());
    write('continue.md', 'Go on: {{ evidence.summary }}\n');
    expect(loadPrompts(root)).toEqual({ ...builtInPrompts(), continue: 'Go on: {{ evidence.summary }}\n' });
    rmSync(path.join(root, '.signalbox'), { recursive: true });
    expect(loadPrompts(root)).toEqual(builtInPrompts());
  });

  test('are refused with all that is wrong in any of them', () => {
    write('task.md', '{{ tusk }}');
    write('contnue.md', 'x');
    write('notes.txt', 'x');
    write('.hidden', 'x');
    execFileSync('mkfifo', [path.join(root, PROMPT_DIRECTORY, 'continue.md')]);
    expect(() => loadPrompts(root)).toThrow(/^4 problems/);
    expect(() => loadPrompts(root)).toThrow(
      /contnue\.md:1:1 {2}is no prompt of Signalbox; did you mean "continue\.md"\?/,
    );
    expect(() => loadPrompts(root)).toThrow(/notes\.txt:1:1 {2}is no prompt of Signalbox; there are task\.md and/);
    expect(() => loadPrompts(root)).toThrow(/continue\.md:1:1 {2}is not a regular file/);
    expect(() => loadPrompts(root)).toThrow(/task\.md:1:4 {2}unknown variable "tusk"/);
  });

  test('may be a link that leads nowhere: that is told, too', () => {
    symlinkSync('nowhere', path.join(root, PROMPT_DIRECTORY, 'task.md'));
    expect(() => loadPrompts(root)).toThrow(/task\.md:1:1 {2}cannot be read: ENOENT/);
  });
});
