import { defineCommand } from '../../framework/command.ts';
import { serverResult } from '../../views/server-view.ts';

export const serverStop = defineCommand({
  name: 'server stop',
  summary: 'Stop the embedded Temporal server; runs go on where they stood when it is started again',
  examples: [{ command: 'signalbox server stop', help: 'its data stays' }],
  run: async (context) => {
    const { embeddedServer } = await import('../../../workers/embedded.ts');
    const status = await embeddedServer(context.env, (text) => context.output.progress(text)).stop();
    const text = status.stopped ? 'The embedded Temporal server is stopped; its data is kept.' : 'It did not run.';
    return { result: { ...serverResult(status), stopped: status.stopped }, text };
  },
});
