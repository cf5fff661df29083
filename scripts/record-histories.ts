/**
 * Records workflow histories for test/replay: `npm run record-histories -- NAME [SCENARIO]` plays the scenarios of
 * test/replay/scenarios.ts on a real server and stores what happened under test/replay/histories/NAME/. Record a new set
 * when the workflows learn something new; keep the old ones for as long as runs of that version may be open.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { packageRoot } from '../activities/package-root.ts';
import { scenarios } from '../test/replay/scenarios.ts';
import { realServer } from '../test/support/real-server.ts';
import type { WorkflowServer } from '../test/support/workflow-world.ts';

const MOST_OF_A_KIND = 3;

const [name, only] = process.argv.slice(2);
if (name === undefined || !/^[a-z0-9][a-z0-9.-]*$/.test(name)) {
  console.error('usage: npm run record-histories -- NAME [SCENARIO]   (NAME: such as the version, 0.1.0)');
  process.exit(2);
}

const folder = path.join(packageRoot(), 'test', 'replay', 'histories', name);
if (only === undefined) rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const [scenario, play] of Object.entries(scenarios).filter(([one]) => (only ?? one) === one)) {
  // A server of its own, so that only this scenario's workflows are found there.
  const server = await realServer({ 'limit.historyCount.suggestContinueAsNew': '60' });
  await play(server);
  const recorded = await record(server, path.join(folder, scenario));
  await server.teardown();
  console.log(`${scenario}: ${recorded} histories`);
}

async function record({ client }: WorkflowServer, prefix: string): Promise<number> {
  const counts = new Map<string, number>();
  for await (const { workflowId, runId, type } of client.workflow.list()) {
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    // One that has only begun has decided nothing yet.
    if (!history.events?.some((event) => event.workflowTaskCompletedEventAttributes)) continue;
    const count = (counts.get(type) ?? 0) + 1;
    counts.set(type, count);
    // Lists come newest first; a few of a kind show all that there is to see.
    if (count > MOST_OF_A_KIND) continue;
    // Stack traces say where this repository lies.
    const compact = JSON.stringify(JSON.parse(historyToJSON(history))).replaceAll(`${packageRoot()}/`, '');
    writeFileSync(`${prefix}-${type}-${count}.json`, `${compact}\n`);
  }
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}
