import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { configSchema } from '../../core/config.ts';
import type { Evidence } from '../../core/evidence.ts';
import { renderPrompt } from '../../activities/prompts/render-prompt.ts';
import { builtInPrompts } from '../../activities/prompts/templates.ts';
import { type Task, manifestSchema } from '../../core/task-file.ts';
import { chooseScript, loadScripts } from '../../examples/scripted-model/script.ts';
import { branchlineScripts, branchlineSource, createBranchline, runIn } from './branchline.ts';

const scripts = new Map(loadScripts(branchlineScripts).map((script) => [script.name, script]));
const config = configSchema.parse(parse(readFileSync(join(branchlineSource, '.signalbox/config.yaml'), 'utf8')));
const doctor = config.checks.doctor.join('\n');

/** The example's tasks, in the order of their files. */
function readTasks(): Task[] {
  const folder = join(branchlineSource, '.signalbox/tasks');
  return readdirSync(folder)
    .sort()
    .map((file) => {
      const [, front = '', body = ''] = /^---\n(.*?)\n---\n(.*)$/s.exec(readFileSync(join(folder, file), 'utf8')) ?? [];
      const manifest = manifestSchema.parse(parse(front));
      return { manifest: { ...manifest, id: manifest.id!, name: manifest.name! }, body, file, digest: '' };
    });
}

const copies: { remove: () => void }[] = [];
const create = (): ReturnType<typeof createBranchline> => {
  const copy = createBranchline();
  copies.push(copy);
  return copy;
};
afterEach(() => copies.splice(0).forEach((copy) => copy.remove()));

/** Does on a branch of its own what a script does, without its test runs, and commits it. */
function work({ dir, git }: ReturnType<typeof createBranchline>, base: string, name: string): void {
  git('checkout', '-q', '-b', `task-${name}`, base);
  for (const step of scripts.get(name)!.steps) runIn(dir, step.command.replace(/^node --test.*$/gm, ''));
  git('add', '-A');
  git('commit', '-q', '-m', name);
}

function merge({ git }: ReturnType<typeof createBranchline>, ...names: string[]): void {
  git('checkout', '-q', 'main');
  for (const name of names) git('merge', '-q', '--no-ff', '-m', `Merge ${name}`, `task-${name}`);
}

describe('the example repository', () => {
  test('is the same commit each time it is built, with a clean work tree', () => {
    const [first, second] = [create(), create()];
    expect(first.git('rev-parse', 'HEAD')).toBe(second.git('rev-parse', 'HEAD'));
    expect(first.git('status', '--porcelain')).toBe('');
    expect(Number(first.git('rev-list', '--count', 'main'))).toBeGreaterThan(5);
  });

  test('passes its own suite', () => {
    expect(runIn(create().dir, doctor)).toMatchObject({ code: 0 });
  });

  test('is not built into a directory that has something in it', () => {
    const { dir } = create();
    expect(runIn(dir, `${branchlineSource}/create.sh .`)).toEqual({ code: 2, output: 'create.sh: . is not empty\n' });
  });

  test('has a script for the prompt of each task, and one more for a retry after a failed check', () => {
    const tasks = readTasks();
    expect(tasks).toHaveLength(8);
    for (const task of tasks) {
      const name = task.file.replace(/\.md$/, '');
      expect(`${task.manifest.id}-${task.manifest.name}.md`).toBe(task.file);
      const chosen = (evidence: Evidence[]): string | undefined => {
        const facts = { task, scope: [], attempt: 1, turn: 1, evidence, checks: [doctor], inputs: {} };
        return chooseScript([...scripts.values()], renderPrompt(builtInPrompts(), facts, false))?.name;
      };
      expect(chosen([])).toBe(name);
      const when = scripts.get(`${name}.retry`)?.when;
      if (when === undefined) continue;
      const failed = { kind: 'failed_check', summary: 'doctor failed', attempt: 1, commit: null, tried: '', changes: '' } as const;
      expect(chosen([{ ...failed, detail: `✖ ${when} (0.9ms)` }])).toBe(`${name}.retry`);
    }
    expect(scripts.size).toBe(tasks.length + 1);
  });
});

describe('the scripted edits', () => {
  test('merge to a tree that passes, in one order that the locks allow', () => {
    const copy = create();
    const first = [
      '001-calendar-command',
      '002-fare-zones',
      '005-board-platforms',
      '007-time-forms.retry',
      '008-platform-clashes',
    ];
    for (const name of first) work(copy, 'main', name);
    merge(copy, ...first);
    const second = ['003-fare-prices', '006-board-to'];
    for (const name of second) work(copy, 'main', name);
    merge(copy, ...second);
    work(copy, 'main', '004-fare-command');
    merge(copy, '004-fare-command');
    const { code, output } = runIn(copy.dir, doctor);
    expect(output).toContain('fail 0');
    expect(code).toBe(0);
  });

  test('pass one after the other, and end in the same tree in another order', () => {
    const copies = [create(), create()] as const;
    const orders = [
      [
        '001-calendar-command',
        '002-fare-zones',
        '003-fare-prices',
        '004-fare-command',
        '005-board-platforms',
        '006-board-to',
        '007-time-forms',
        '007-time-forms.retry',
        '008-platform-clashes',
      ],
      [
        '008-platform-clashes',
        '006-board-to',
        '007-time-forms.retry',
        '002-fare-zones',
        '005-board-platforms',
        '003-fare-prices',
        '001-calendar-command',
        '004-fare-command',
      ],
    ];
    const trees = copies.map((copy, index) => {
      for (const name of orders[index] ?? []) {
        work(copy, 'main', name);
        merge(copy, name);
        if (index === 0)
          expect([name, runIn(copy.dir, doctor).code]).toEqual([name, name === '007-time-forms' ? 1 : 0]);
      }
      return copy.git('rev-parse', 'main^{tree}');
    });
    expect(trees[0]).toBe(trees[1]);
  });

  test('fail the doctor at the first attempt of 007, with the evidence that its retry looks for', () => {
    const copy = create();
    work(copy, 'main', '007-time-forms');
    const first = runIn(copy.dir, doctor);
    expect(first.code).toBe(1);
    expect(first.output.slice(-2000)).toContain(scripts.get('007-time-forms.retry')?.when);
    work(copy, 'main', '007-time-forms.retry');
    expect(runIn(copy.dir, doctor)).toMatchObject({ code: 0 });
  });
});
