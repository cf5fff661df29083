import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createAgents, createPlanners } from '../activities/agent/agents.ts';
import type { PlannedFile } from '../activities/agent/planned-task.ts';
import type { Planner } from '../activities/agent/planner.ts';
import { loadProject, type Project } from '../activities/catalogue/project.ts';
import { loadTasks } from '../activities/catalogue/task-files.ts';
import { stepUsage } from '../activities/models/step-usage.ts';
import { codeOf } from '../activities/system-errors.ts';
import { homeOf } from '../activities/home.ts';
import { SignalboxError } from '../core/failures.ts';
import type { Usage } from '../core/usage.ts';
import { openPlanningTurn } from './planning-turn.ts';
import { newRunId } from './runs/run-id.ts';

/** What {@link planTasks} is given. */
export interface PlanningRequest {
  directory: string;
  env: Readonly<Record<string, string | undefined>>;
  /** The file with the plan; relative to `directory`. */
  input: string;
  /** Write nothing. */
  dryRun: boolean;
  onProgress: (text: string) => void;
  /** Aborting it ends the planning. */
  signal: AbortSignal;
}

/** What a plan came to. */
export interface Planning {
  /** Paths relative to the project's root, with `/`. */
  files: { path: string; text: string }[];
  written: boolean;
  usage: Usage;
}

/**
 * Makes task files of an implementation plan, checks them together with those that are there, and writes them.
 *
 * @throws SignalboxError `usage` for the input, `task_files` if what came out is no valid catalogue, `refused` by the
 *   planner, or if a file is there already
 */
export async function planTasks(request: PlanningRequest): Promise<Planning> {
  const { directory, env, dryRun, onProgress, signal } = request;
  const project = loadProject(directory, { env });
  const plan = readPlan(path.resolve(directory, request.input));
  const home = homeOf(env);
  const planner = plannerOf(project, createPlanners(createAgents({ home })));
  const turn = await openPlanningTurn({
    project,
    home,
    env,
    provider: planner.provider,
    id: newRunId(new Date()),
    onProgress,
  });
  try {
    onProgress(`Planning with ${planner.provider} …`);
    const { files, usage: told } = await planner.plan({ plan, turn: turn.request }, { signal });
    const { step, model } = turn.request;
    const { usage } = await stepUsage(home, step.name, told, model, project.config.prices);
    checkTogether(project, files);
    if (!dryRun) writeAll(project, files);
    const shown = files.map(({ file, text }) => ({ path: `${project.config.tasks.path}/${file}`, text }));
    return { files: shown, written: !dryRun, usage };
  } finally {
    await turn.close();
  }
}

function readPlan(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SignalboxError('usage', `the plan ${file} cannot be read (${String(codeOf(cause))})`, { cause });
  }
  if (text.trim() === '') throw new SignalboxError('usage', `the plan ${file} is empty`);
  return text;
}

function plannerOf({ config }: Project, planners: Readonly<Record<Planner['provider'], Planner>>): Planner {
  const { provider } = config.planner;
  if (provider === 'codex' || provider === 'mock') return planners[provider];
  throw new SignalboxError('config', `planner.provider ${provider} does not work yet`, {
    hint: 'Set planner.provider to codex, or to mock.',
  });
}

/** Checks the new files with those that are there, in a copy of the task directory. */
function checkTogether(project: Project, files: readonly PlannedFile[]): void {
  const root = mkdtempSync(path.join(tmpdir(), 'signalbox-plan-'));
  try {
    const tasks = { path: '.signalbox/tasks' };
    const copy = path.join(root, tasks.path);
    mkdirSync(copy, { recursive: true });
    if (existsSync(project.tasks)) cpSync(project.tasks, copy, { recursive: true });
    for (const { file, text } of files) {
      if (existsSync(path.join(copy, file))) throw exists(project, file);
      writeFileSync(path.join(copy, file), text);
    }
    loadTasks(root, { ...project.config, tasks });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function writeAll(project: Project, files: readonly PlannedFile[]): void {
  mkdirSync(project.tasks, { recursive: true });
  for (const { file, text } of files) writeFileSync(path.join(project.tasks, file), text, { flag: 'wx' });
}

function exists(project: Project, file: string): SignalboxError {
  return new SignalboxError('refused', `${project.config.tasks.path}/${file} is there already`, {
    hint: 'Move it away, or change the plan.',
  });
}
