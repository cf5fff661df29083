import { expect, test } from '@jest/globals';
import { Redactor } from '../../../activities/redaction/redactor.ts';
import { configSchema } from '../../../core/config.ts';
import type { RunManifest } from '../../../core/run-manifest.ts';
import { manifestSchema } from '../../../core/task-file.ts';
import { cleanManifest } from '../../../workers/runs/clean-manifest.ts';
import { GITHUB_TOKEN } from '../../support/canaries.ts';

const SECRET = 'q8W2e4R6t7Y9';
const redactor = new Redactor({ secrets: [SECRET] });

function manifestOf(config: object, task: object = {}, body = 'Do it.'): RunManifest {
  return {
    version: 1,
    backend: 'local',
    prompts: { task: `As ${SECRET} says`, continue: 'Go on' },
    config: { ...configSchema.parse({ checks: { doctor: 'true' }, ...config }), project: 'p' },
    tasks: [{ manifest: { ...manifestSchema.parse(task), id: '001', name: 'one' }, body, file: '001.md', digest: 'd' }],
    reused: {},
    catalogue: { '001': 'd' },
  };
}

test('texts are cleaned, and nothing else of a run’s manifest changes', () => {
  const given = manifestOf(
    { redact: { patterns: [SECRET] } },
    { description: `see ${SECRET}` },
    `Use ${GITHUB_TOKEN}.`,
  );
  const clean = cleanManifest(given, redactor);
  expect(clean.tasks[0]).toMatchObject({ body: 'Use ***.', digest: 'd', manifest: { description: 'see ***' } });
  expect(clean.prompts).toEqual({ task: 'As *** says', continue: 'Go on' });
  expect(clean.config).toEqual(given.config);
  const without = manifestOf(
    {},
    {
      verify: {
        doctor: 'curl -H "Authorization: Bearer $TOKEN" https://me:$PASS@host psql://postgres:postgres@localhost/test',
      },
    },
  );
  expect(cleanManifest({ ...without, prompts: clean.prompts }, redactor)).toEqual({
    ...without,
    prompts: clean.prompts,
  });
});

test('a command that holds a secret is refused with its place, which does not repeat it', () => {
  const agent = { provider: 'command', command: `agent --key ${SECRET}` };
  expect(() => cleanManifest(manifestOf({ agent }), redactor)).toThrow(
    /^the configuration holds a secret at agent\.command$/,
  );
  const task = { verify: { doctor: ['true', `x ${GITHUB_TOKEN}`] } };
  expect(() => cleanManifest(manifestOf({}, task), redactor)).toThrow(/^001\.md holds a secret at verify\.doctor\.1$/);
});
