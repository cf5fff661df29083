import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { DeliveredOutputs } from '../activities/bootstrap/delivered-outputs.ts';
import { ensureSnapshot } from '../activities/bootstrap/ensure-snapshot.ts';
import { SnapshotStore } from '../activities/bootstrap/snapshot-store.ts';
import { BareRepository } from '../activities/git/bare-repository.ts';
import { CheckoutPool } from '../activities/git/checkout-pool.ts';
import { inspectUserRepository } from '../activities/git/inspect-user-repository.ts';
import { createWorkspace, removeWorkspace } from '../activities/git/workspace.ts';
import { homeOf } from '../activities/home.ts';
import { createSandbox } from '../activities/sandbox/create-sandbox.ts';
import type { Layer, Sandbox } from '../activities/sandbox/sandbox.ts';
import { humanSize } from '../core/size.ts';

const USAGE = `node scripts/bench-bootstrap.ts [--backend docker|local] [--packages 400] [--rounds 7]

Measures what a task's dependencies cost: the first task, for which they are installed, and those after it, whose agents
find them in place. A package is 20 files of 13 KB, written by a program of the repository: nothing is fetched.`;

const { values } = parseArgs({
  options: {
    backend: { type: 'string', default: 'docker' },
    packages: { type: 'string', default: '400' },
    rounds: { type: 'string', default: '7' },
    help: { type: 'boolean' },
  },
});
if (values.help === true) process.stdout.write(`${USAGE}\n`);
else await bench(values.backend === 'local' ? 'local' : 'docker', Number(values.packages), Number(values.rounds));

/** What installs the packages. */
function installer(packages: number): string {
  return `import { mkdirSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
for (let p = 0; p < ${packages}; p += 1) {
  const directory = \`node_modules/package-\${p}/lib\`;
  mkdirSync(directory, { recursive: true });
  for (let file = 0; file < 20; file += 1) writeFileSync(\`\${directory}/\${file}.js\`, randomBytes(13000));
}
`;
}

async function bench(backend: Sandbox['backend'], packages: number, rounds: number): Promise<void> {
  const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'signalbox-bench-')));
  try {
    const home = homeOf({ SIGNALBOX_HOME: path.join(root, 'home') });
    const repository = path.join(root, 'repository');
    mkdirSync(repository);
    writeFileSync(path.join(repository, 'install.mjs'), installer(packages));
    const git = (...args: string[]): Buffer => execFileSync('git', args, { cwd: repository });
    git('init', '-q', '-b', 'main');
    git('add', '.');
    git('-c', 'user.name=Bench', '-c', 'user.email=bench@localhost', 'commit', '-q', '-m', 'first');
    mkdirSync(home.repositories, { recursive: true });
    const bare = await BareRepository.open(path.join(home.repositories, 'bench.git'));
    const commit = await bare.importBranch(await inspectUserRepository(repository), 'main');
    const sandbox = await createSandbox({ home, env: process.env, backend, gatewayUrl: '', onProgress: say });
    const layering = await sandbox.canLayer();
    const owner = sandbox.fileOwner === undefined ? {} : { owner: sandbox.fileOwner };
    const store = new SnapshotStore(home);
    const pool = new CheckoutPool({ bare, directory: path.join(home.checkouts, 'bench', backend), ...owner });
    const { signal } = new AbortController();

    /** Makes a task's workspace, gives it what it needs, and lets a step count its packages. All in milliseconds. */
    const task = async (name: string): Promise<Record<'workspace' | 'delivery' | 'step', number>> => {
      const times = [performance.now()];
      const directory = path.join(home.workspaces, name);
      await createWorkspace({ bare, directory, commit, branch: 'main', pool, ...owner });
      times.push(performance.now());
      const outputs = new DeliveredOutputs(directory, sandbox.fileOwner);
      const bootstrap = { commands: ['node install.mjs'], inputs: ['*.mjs'], outputs: ['node_modules'] };
      const snapshot = await ensureSnapshot({
        ...{ bare, commit, accepted: true, sandbox, variables: {}, store, pool, signal, onProgress: say },
        ...{ project: 'bench', repository: 'bench', branch: 'main', timeoutMs: 600_000, holder: outputs.marker },
        bootstrap: { ...bootstrap, network: 'none' },
        network: 'none',
      });
      await outputs.deliver(snapshot, { store, layering, signal });
      const layers = outputs.layers();
      times.push(performance.now());
      const found = await step(sandbox, name, path.join(directory, 'tree'), layers, 'ls node_modules | wc -l');
      if (found !== packages) throw new Error(`the step of ${name} found ${found} packages`);
      times.push(performance.now());
      await outputs.withdraw(store);
      await removeWorkspace(directory, pool);
      const [start = 0, made = 0, delivered = 0, ended = 0] = times;
      return { workspace: made - start, delivery: delivered - made, step: ended - delivered };
    };

    const first = await task('first');
    const later: (typeof first)[] = [];
    for (let round = 1; round <= rounds; round += 1) later.push(await task(`later-${round}`));
    const bare_ = path.join(root, 'empty');
    mkdirSync(bare_);
    const plain: number[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      const began = performance.now();
      await step(sandbox, `plain-${round}`, bare_, [], 'echo 0');
      plain.push(performance.now() - began);
    }
    const bytes = store.list().reduce((sum, { record }) => sum + record.bytes, 0);
    say(`${backend}, ${packages} packages, ${humanSize(bytes)}, ${layering ? 'in a layer' : 'copied'}:`);
    say(`  first task: installed and delivered after ${ms(first.delivery)}`);
    say(`  later tasks: delivered after ${ms(median(later.map(({ delivery }) => delivery)))} (median of ${rounds}),`);
    say(`    at most ${ms(Math.max(...later.map(({ delivery }) => delivery)))}; goal with a step below: 1500 ms`);
    say(
      `  a step that counts them ended ${ms(median(later.map(({ step: time }) => time)))} later; one without any takes`,
    );
    say(`    ${ms(median(plain))}; together ${ms(median(later.map((one) => one.delivery + one.step)))}`);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function step(
  sandbox: Sandbox,
  task: string,
  workTree: string,
  layers: Layer[],
  command: string,
): Promise<number> {
  const owner = { project: 'bench', run: 'bootstrap', task, attempt: 1 };
  let printed = '';
  await sandbox.run(
    {
      ...{ name: `bench..bootstrap..${task}..1..count`, owner, execution: 'bench', kind: 'check', command, stdin: '' },
      ...{ workTree, mounts: [], layers, env: {}, timeoutMs: 60_000, outputLimit: 1024, network: 'none' },
    },
    { onStdout: (chunk) => (printed += chunk.toString()) },
  );
  return Number(printed.trim());
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

function ms(milliseconds: number): string {
  return `${Math.round(milliseconds)} ms`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
