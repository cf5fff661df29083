import { defineCommand } from '../../framework/command.ts';

export const keyAdd = defineCommand({
  name: 'key add',
  summary: 'Make a key, and encrypt with it what goes to Temporal from now on',
  description:
    'The first key switches encryption on; each later one takes its place, and the earlier ones stay to read what they encrypted. ' +
    'Every host that works on the same runs needs the same keys. Search attributes and ids are never encrypted.',
  examples: [{ command: 'signalbox key add', help: 'also to change the key' }],
  run: async (context) => {
    const { addPayloadKey } = await import('../../../workers/payload-key-commands.ts');
    const { added, source, ids } = addPayloadKey(context.env);
    const first =
      ids.length === 1
        ? '\nWorkers that run already encrypt from now on, but for the messages of failures: start them again.'
        : '';
    return {
      result: { added, source, ids },
      text: `Added the key ${added} to ${source}. Keep a copy of that file: without it nobody can read the runs.${first}`,
    };
  },
});
