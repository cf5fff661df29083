import { existsSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { bundleWorkflowCode } from '@temporalio/worker';
import { execa } from 'execa';

const root = path.join(import.meta.dirname, '..');
const dist = path.join(root, 'dist');
const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Compiles the package into dist/, with the workflows bundled: a worker that bundles them itself needs 120 MB more. */
async function build(): Promise<void> {
  rmSync(dist, { recursive: true, force: true });
  say('Compiling');
  const compiler = path.join(root, 'node_modules/typescript/bin/tsc');
  const { exitCode } = await execa(process.execPath, [compiler, '-p', 'tsconfig.build.json'], {
    cwd: root,
    stdout: process.stderr,
    stderr: 'inherit',
    reject: false,
  });
  if (exitCode !== 0) {
    process.exitCode = 1;
    return;
  }

  say('Bundling the workflows');
  const workflowsPath = path.join(dist, 'workflows/index.js');
  if (!existsSync(workflowsPath)) throw new Error(`the compiler left no ${workflowsPath}`);
  const warn = (message: string): void => say(message);
  const quiet = (): undefined => undefined;
  const failureConverterPath = path.join(root, 'workers/failure-converter.cjs');
  for (const [name, more] of Object.entries({
    'workflow-bundle.js': {},
    'workflow-bundle-encrypting.js': { failureConverterPath },
  })) {
    const { code } = await bundleWorkflowCode({
      ...more,
      workflowsPath,
      logger: { log: quiet, trace: quiet, debug: quiet, info: quiet, warn, error: warn },
    });
    writeFileSync(path.join(dist, name), code);
    say(`dist/${name}: ${Math.round(code.length / 1024)} KiB`);
  }
}

await build();
