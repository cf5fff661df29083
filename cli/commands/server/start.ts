import { defineCommand } from '../../framework/command.ts';
import { count, flag } from '../../framework/options.ts';
import { serverResult, serverText } from '../../views/server-view.ts';

export const serverStart = defineCommand({
  name: 'server start',
  summary: 'Start the embedded Temporal server with its Web UI',
  description:
    'With --detach it returns when the server answers. Without, it stays until Ctrl+C, which stops the server. ' +
    'A server that runs already is left as it is. Data and ports are those it had last.',
  options: {
    detach: flag('--detach', 'return as soon as the server answers; it goes on by itself'),
    port: count('--port <port>', 'for clients; by default the last one, else 7233 or a free one'),
    uiPort: count('--ui-port <port>', 'for the Web UI; by default the last one, else 8233 or a free one'),
  },
  examples: [
    { command: 'signalbox server start --detach', help: 'in the background' },
    { command: 'signalbox server start --port 17233', help: 'on another port' },
  ],
  run: async (context, { options }) => {
    const { embeddedServer } = await import('../../../workers/embedded.ts');
    const server = embeddedServer(context.env, (text) => context.output.progress(text));
    const { port, uiPort } = options;
    const asked = { ...(port === undefined ? {} : { port }), ...(uiPort === undefined ? {} : { uiPort }) };
    const status = await server.start(asked);
    const told = { result: { ...serverResult(status), started: status.started }, text: serverText(status) };
    if (options.detach) return told;
    context.output.progress(`${told.text}\nCtrl+C stops it.`);
    const { untilServerEnds } = await import('../../../workers/embedded.ts');
    const ended = await untilServerEnds(server, context.interrupted);
    if (!ended) await server.stop();
    context.output.progress(ended ? 'The server has ended.' : 'Stopped.');
    return { result: { ...serverResult(server.status()), started: status.started }, text: '', exitCode: 0 };
  },
});
