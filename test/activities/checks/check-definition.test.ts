import { expect, test } from '@jest/globals';
import { definitionDigest } from '../../../activities/checks/check-definition.ts';
import { builtInPrompts } from '../../../activities/prompts/templates.ts';
import { configSchema } from '../../../core/config.ts';
import type { RunImage } from '../../../core/run-image.ts';
import type { RunManifest } from '../../../core/run-manifest.ts';

const CHECKS = [{ name: 'doctor', command: 'make' }];

function manifest(image: RunImage | null): RunManifest {
  const config = { ...configSchema.parse({ sandbox: { image: 'node:24' } }), project: 'p' };
  const prompts = builtInPrompts();
  return { version: 1, config, backend: 'docker', image, tasks: [], prompts, reused: {}, catalogue: {} };
}

test('a verdict in one image is none for another one of the same name, and is one for the same by another digest', () => {
  const image = (id: string, digest: string | null = null): RunImage => ({ reference: 'node:24', id, digest });
  const digest = (found: RunImage | null): string => definitionDigest(manifest(found), CHECKS);
  expect(digest(image('sha256:1'))).not.toBe(digest(image('sha256:2')));
  expect(digest(image('sha256:1'))).toBe(digest(image('sha256:1', 'node@sha256:3')));
  expect(digest(image('sha256:1'))).not.toBe(digest(null));
});
