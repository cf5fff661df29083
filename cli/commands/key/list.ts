import { defineCommand } from '../../framework/command.ts';

export const keyList = defineCommand({
  name: 'key list',
  summary: 'Show the names of the keys that payloads are encrypted with',
  examples: [{ command: 'signalbox key list', help: 'the last one encrypts' }],
  run: async (context) => {
    const { listPayloadKeys } = await import('../../../workers/payload-key-commands.ts');
    const { source, ids } = listPayloadKeys(context.env);
    if (ids.length === 0) return { result: { source, ids }, text: 'There are no keys: payloads are stored in clear.' };
    return { result: { source, ids }, text: [...ids, `in ${source}; the last one encrypts`].join('\n') };
  },
});
