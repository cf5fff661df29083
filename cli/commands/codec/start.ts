import { defineCommand } from '../../framework/command.ts';
import { count, list } from '../../framework/options.ts';

/** Beside the ports of the embedded server. */
const PORT = 8234;

export const codecStart = defineCommand({
  name: 'codec start',
  summary: 'Let the Web UI read encrypted payloads, until interrupted',
  description:
    'Listens on 127.0.0.1, and answers the pages of the given origins only. Its address goes into the Web UI: the glasses in ' +
    'the corner, "Remote Codec Endpoint". The address is a secret of yours: who knows it can have payloads decrypted here.',
  options: {
    port: count('--port <port>', `by default ${PORT}`),
    origin: list(
      '--origin <origins>',
      'Web UIs that may ask, such as http://127.0.0.1:8233; by default that of the server',
    ),
  },
  examples: [{ command: 'signalbox codec start', help: 'in a terminal of its own' }],
  run: async (context, { options }) => {
    const { startCodecEndpoint } = await import('../../../workers/codec-endpoint.ts');
    const endpoint = await startCodecEndpoint({
      env: context.env,
      port: options.port ?? PORT,
      origins: options.origin ?? [],
      onProgress: (text) => context.output.progress(text),
    });
    const { url, origins } = endpoint;
    context.output.progress(`Codec endpoint ${url} for ${origins.join(', ')}. Ctrl+C ends it.`);
    await new Promise<void>((resolve) => {
      if (context.interrupted.aborted) resolve();
      context.interrupted.addEventListener('abort', () => resolve(), { once: true });
    });
    await endpoint.close();
    return { result: { origins }, text: '' };
  },
});
