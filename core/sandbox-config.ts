import * as z from 'zod';
import { containerFields } from './container-config.ts';
import { allowProblem, networkProblem } from './egress.ts';
import { checkedText, line, size, text, variableName } from './fields.ts';
import { buildArgsSchema, checkImageKeys } from './image-config.ts';

/** The section `sandbox`: where agents and checks run, and what they can reach. */
export const sandboxSchema = z
  .strictObject({
    backend: z
      .enum(['docker', 'local'])
      .optional()
      .describe('`docker` where an engine answers, otherwise `local`, said out loud; naming one insists on it.'),
    image: line().optional().describe('The image that steps run in; by default the one that Signalbox builds.'),
    dockerfile: text().optional().describe('Builds the image instead, relative to the repository.'),
    build_context: text().optional().describe("The directory that the Dockerfile's `COPY` sees; by default its own."),
    build_args: buildArgsSchema
      .optional()
      .describe(
        "What the Dockerfile's `ARG`s are set to; without `dockerfile`, `BASE` is what the image is built from, and `NODE` " +
          'the major version of Node that it has, by default `24`.',
      ),
    user: line().optional().describe('`uid[:gid]` of the processes; by default nobody that the host knows.'),
    network: z
      .enum(['gateway', 'none', 'bridge'])
      .prefault('gateway')
      .describe("What agents reach: only the model gateway, nothing, or the engine's ordinary network."),
    allow: z
      .array(checkedText(allowProblem))
      .optional()
      .describe(
        'Hosts that agents and checks reach besides, by https: `registry.example.org`, `*.example.org` (all below it), ' +
          '`example.org:8443`; or package registries by name: `npm`, `pypi`, `crates`, `go`, `maven`, `rubygems`, ' +
          '`nuget`, `packagist`, `hex`, `pub`, or all as `registries`. By default none; with `network: gateway` only.',
      ),
    allow_private: z
      .array(checkedText(networkProblem))
      .optional()
      .describe('Networks of private addresses that allowed hosts may have, such as `10.20.0.0/16`; by default none.'),
    memory: size().optional().describe('Memory of one step, swap included; by default `8GiB`, or all there is.'),
    cpus: z
      .number()
      .min(0.01)
      .optional()
      .describe('Processors of one step; fractions are allowed. By default 4, or all there are.'),
    pids: z.int().min(1).optional().describe('Processes and threads of one step; by default 2048.'),
    ...containerFields,
    runtime: line().optional().describe('An OCI runtime that the engine knows, such as `runsc`.'),
    bubblewrap: z
      .enum(['auto', 'off'])
      .optional()
      .describe(
        '`auto`, the default: with `backend: local`, steps run in bubblewrap where it works; `off`: they never do.',
      ),
    env: z
      .array(variableName())
      .prefault([])
      .describe("Names of environment variables that steps get from the worker's environment."),
  })
  .superRefine(checkImageKeys)
  .superRefine(({ network, allow }, context) => {
    if (network === 'gateway' || allow === undefined || allow.length === 0) return;
    context.addIssue({ code: 'custom', path: ['allow'], message: `says nothing with network ${network}` });
  });
