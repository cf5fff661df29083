import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { loadProject } from '../activities/catalogue/project.ts';
import { connectEngine } from '../activities/sandbox/engine.ts';
import { configSchema, type Config } from '../core/config.ts';
import { SignalboxError } from '../core/failures.ts';
import type { Assertion } from './audit/assertion.ts';
import { runAudit } from './audit/run-audit.ts';

const USAGE = `npm run audit [-- [--runtime NAME] [--project DIRECTORY] [--failures] [-o json]]

Starts an agent's step in Docker as a run would, with the gateway's network, beside another task's agent; looks at its
container from outside, and tries from inside all that a step must not be able to do. Ends with exit code 1 if anything
is not as it should be, 3 if no step can be started.

  --runtime NAME       in this OCI runtime, instead of the engine's own
  --project DIRECTORY  with the section sandbox of the project there, without image; what it loosens fails
  --failures           shows what failed only
  -o json              one JSON object instead of a table`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      runtime: { type: 'string' },
      project: { type: 'string' },
      failures: { type: 'boolean', default: false },
      output: { type: 'string', short: 'o' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const assertions = await runAudit({
    engine: connectEngine(process.env),
    config: configOf(values.project, values.runtime),
  });
  const failed = assertions.filter(({ passed }) => !passed);
  if (values.output === 'json') {
    process.stdout.write(`${JSON.stringify({ ok: failed.length === 0, result: { assertions } })}\n`);
  } else {
    process.stdout.write(`${tableOf(values.failures ? failed : assertions)}\n`);
    process.stdout.write(`${assertions.length - failed.length} passed, ${failed.length} failed\n`);
  }
  return failed.length === 0 ? 0 : 1;
}

/** The configuration of the project, or the default one. The audit needs what a project's own image may lack. */
function configOf(project: string | undefined, runtime: string | undefined): Config {
  const config = project === undefined ? configSchema.parse({}) : loadProject(project, { env: process.env }).config;
  const sandbox = { ...config.sandbox, ...(runtime === undefined ? {} : { runtime }) };
  delete sandbox.image;
  return { ...config, project: 'audit', sandbox };
}

function tableOf(assertions: readonly Assertion[]): string {
  const table = new Table({
    head: ['', 'AREA', 'WHAT', 'EXPECTED', 'FOUND'],
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    style: { head: [], border: [], compact: true },
    colWidths: [6, 16, 50, 44, 44],
  });
  table.push(
    ...assertions.map(({ area, name, expected, found, passed }) => [
      passed ? 'pass' : 'FAIL',
      area,
      name,
      expected,
      found,
    ]),
  );
  return table.toString();
}

try {
  process.exitCode = await main();
} catch (error) {
  const hint = error instanceof SignalboxError && error.hint !== undefined ? `\n${error.hint}` : '';
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}${hint}\n`);
  process.exitCode = error instanceof TypeError ? 2 : 3;
}
