import { defineCommand } from '../../framework/command.ts';
import { serverResult, serverText } from '../../views/server-view.ts';

export const serverStatus = defineCommand({
  name: 'server status',
  summary: 'Say whether the embedded Temporal server runs, and where',
  description: 'The exit code is 0 when it runs, and 3 when it does not.',
  examples: [{ command: 'signalbox server status -o json', help: 'for scripts' }],
  run: async (context) => {
    const { embeddedServer } = await import('../../../workers/embedded.ts');
    const status = embeddedServer(context.env, (text) => context.output.progress(text)).status();
    return { result: serverResult(status), text: serverText(status), exitCode: status.running ? 0 : 3 };
  },
});
