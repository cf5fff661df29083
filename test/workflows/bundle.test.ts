import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { bundleWorkflowCode } from '@temporalio/worker';
import { packageRoot } from '../../activities/package-root.ts';

const root = packageRoot();
const errors: string[] = [];
const ignore = (): void => undefined;
const logger = {
  log: ignore,
  trace: ignore,
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: (text: string) => void errors.push(text),
};
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'signalbox-bundle-'));
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Bundles an entry that imports these files, as a worker bundles the workflows. */
async function bundle(name: string, files: readonly string[]): Promise<string> {
  const entry = path.join(folder, `${name}.ts`);
  writeFileSync(entry, files.map((file, index) => `export * as m${index} from ${JSON.stringify(file)};\n`).join(''));
  return (await bundleWorkflowCode({ workflowsPath: entry, logger })).code;
}

describe('the workflow bundle', () => {
  test('takes all of core and workflows: nothing there needs Node', async () => {
    const files = ['core', 'workflows'].flatMap((layer) =>
      readdirSync(path.join(root, layer)).map((file) => path.join(root, layer, file)),
    );
    expect(await bundle('all', files)).toContain('describeRun');
  });

  test('refuses a module that imports a Node built-in', async () => {
    const impure = path.join(folder, 'impure.ts');
    writeFileSync(
      impure,
      "import { readFileSync } from 'node:fs';\nexport const read = () => readFileSync('/etc/hostname');\n",
    );
    await expect(bundle('with-impure', [impure])).rejects.toThrow('Webpack finished with errors');
    expect(errors.join()).toContain('node:fs');
  });
});
