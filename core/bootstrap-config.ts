import * as z from 'zod';
import { commands, globs } from './fields.ts';

/** How `checks.bootstrap` says that dependencies are installed. */
export const bootstrapSchema = z.strictObject({
  commands: commands().describe('What installs the dependencies, such as `npm ci`; each runs as a step of its own.'),
  inputs: globs()
    .prefault([])
    .describe('Files whose change makes them run again, all that they read: manifests, lock files, scripts.'),
  outputs: globs()
    .min(1, 'must name at least one path')
    .describe(
      'What they leave and work trees get, such as `node_modules` or `packages/*/node_modules`; nothing of it may be ' +
        'tracked by git.',
    ),
  network: z
    .enum(['registries', 'none'])
    .prefault('registries')
    .describe(
      'What they may reach in Docker: public package registries and what `sandbox.allow` names, or nothing. ' +
        'With `sandbox.network: bridge`, `registries` is everything.',
    ),
});
