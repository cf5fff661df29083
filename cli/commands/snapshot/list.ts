import { defineCommand } from '../../framework/command.ts';

export const snapshotList = defineCommand({
  name: 'snapshot list',
  summary: 'List the dependency snapshots on this host, of all projects',
  description:
    'What checks.bootstrap made, the last used first: its size, its age, and whether a workspace or a checkout has it now. ' +
    'Needs no server.',
  examples: [
    { command: 'signalbox snapshot list', help: 'what takes room?' },
    { command: 'signalbox snapshot list -o json', help: 'for scripts: also commands, outputs, and how long each took' },
  ],
  run: async (context) => {
    const { listSnapshots } = await import('../../../workers/snapshots.ts');
    const { snapshotListText } = await import('../../views/snapshot-view.ts');
    const snapshots = listSnapshots(context.env);
    const bytes = snapshots.reduce((sum, snapshot) => sum + snapshot.bytes, 0);
    return { result: { snapshots, bytes }, text: snapshotListText(snapshots) };
  },
});
