import { defineCommand } from '../framework/command.ts';
import { flag } from '../framework/options.ts';

export const init = defineCommand({
  name: 'init',
  summary: 'Write a configuration, an example task and .gitignore into the repository',
  options: { force: flag('--force', 'replace files that exist') },
  examples: [{ command: 'signalbox init', help: 'what exists is kept' }],
  run: async (context, { options }) => {
    const { initialise } = await import('../../workers/project.ts');
    const result = await initialise(context.directory, options.force);
    const doctor =
      result.doctor === null
        ? 'Set checks.doctor in .signalbox/config.yaml to the command that proves your work.'
        : `checks.doctor is set to ${JSON.stringify(result.doctor.command)}; see that it is right.`;
    const text = [
      ...result.written.map((file) => `wrote ${file}`),
      ...result.kept.map((file) => `kept ${file} (--force replaces it)`),
      '',
      `project ${result.project}, integration branch ${result.integrationBranch}. ${doctor}`,
      'Then write tasks into .signalbox/tasks, and see "signalbox doctor" and "signalbox run start --dry-run".',
    ].join('\n');
    const { integrationBranch: integration_branch, ...rest } = result;
    return { result: { ...rest, integration_branch }, text };
  },
});
