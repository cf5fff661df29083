import { defineCommand } from '../framework/command.ts';

export const doctor = defineCommand({
  name: 'doctor',
  summary: 'Say what is missing or wrong on this machine, and the command that mends it',
  description: 'The exit code is 3 if something must be mended before a run can work. Secrets are never printed.',
  examples: [{ command: 'signalbox doctor', help: 'before the first run' }],
  run: async (context) => {
    const { examine } = await import('../../workers/doctor.ts');
    const { doctorText } = await import('../views/doctor-view.ts');
    const findings = await examine(context.directory, context.env);
    const bad = findings.some((finding) => finding.status === 'error');
    return {
      result: { healthy: !bad, findings },
      text: doctorText(findings, context.output.colors),
      exitCode: bad ? 3 : 0,
    };
  },
});
