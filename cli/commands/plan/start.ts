import { defineCommand } from '../../framework/command.ts';
import { flag, requiredText } from '../../framework/options.ts';

export const planStart = defineCommand({
  name: 'plan start',
  summary: 'Turn an implementation plan into task files',
  description:
    'The planner of the configuration reads the plan and the repository. What it writes is checked together with the ' +
    'tasks that are there, and nothing is written if anything is wrong.',
  options: {
    input: requiredText('--input <file>', 'the plan, in Markdown'),
    dryRun: flag('--dry-run', 'print the task files, and write nothing'),
  },
  examples: [
    { command: 'signalbox plan start --input plan.md --dry-run', help: 'look first' },
    { command: 'signalbox plan start --input plan.md', help: 'then write them' },
  ],
  run: async (context, { options }) => {
    const { planTasks } = await import('../../../workers/plan.ts');
    const { planText } = await import('../../views/plan-view.ts');
    const { directory, env, output, interrupted } = context;
    const planning = await planTasks({
      directory,
      env,
      input: options.input,
      dryRun: options.dryRun,
      onProgress: (text) => output.progress(text),
      signal: interrupted,
    });
    const { files, written, usage } = planning;
    return { result: { dry_run: !written, files, usage }, text: planText(planning) };
  },
});
