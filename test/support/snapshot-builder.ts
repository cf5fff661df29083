/** A process that asks for a dependency snapshot, for tests that start several, or kill one. Its argument is JSON. */
import path from 'node:path';
import { ensureSnapshot } from '../../activities/bootstrap/ensure-snapshot.ts';
import { SnapshotStore } from '../../activities/bootstrap/snapshot-store.ts';
import { BareRepository } from '../../activities/git/bare-repository.ts';
import { CheckoutPool } from '../../activities/git/checkout-pool.ts';
import { homeOf } from '../../activities/home.ts';
import { LocalSandbox } from '../../activities/sandbox/local-sandbox.ts';

/** What {@link process.argv} holds. */
export interface SnapshotBuilderInput {
  home: string;
  gitDir: string;
  repository: string;
  commit: string;
  command: string;
  holder: string;
}

const input = JSON.parse(process.argv[2] ?? '') as SnapshotBuilderInput;
const home = homeOf({ SIGNALBOX_HOME: input.home });
const bare = await BareRepository.open(input.gitDir);
const record = await ensureSnapshot({
  bare,
  commit: input.commit,
  accepted: true,
  bootstrap: { commands: [input.command], inputs: ['lock.txt'], outputs: ['deps'], network: 'none' },
  network: 'none',
  // What it does is counted, and held up, by files outside of its work tree.
  sandbox: new LocalSandbox({ home, gatewayUrl: '', env: process.env, bubblewrap: 'off' }),
  variables: {},
  store: new SnapshotStore(home),
  project: 'world',
  repository: input.repository,
  branch: 'main',
  pool: new CheckoutPool({ bare, directory: path.join(home.checkouts, input.repository, 'local') }),
  timeoutMs: 60_000,
  holder: input.holder,
  signal: new AbortController().signal,
  onProgress: (text) => process.stderr.write(`${text}\n`),
});
process.stdout.write(record.key);
