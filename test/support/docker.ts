import { describe } from '@jest/globals';
import { connectEngine, probeEngine } from '../../activities/sandbox/engine.ts';

const probe = await probeEngine(connectEngine(process.env));

/** Whether an engine answers on this machine. */
export const hasDocker = probe.available;

/**
 * `describe` where a Docker engine answers; elsewhere its tests are skipped, or with `SIGNALBOX_REQUIRE_DOCKER` set, as
 * in CI, fail.
 */
export const describeDocker = hasDocker || process.env['SIGNALBOX_REQUIRE_DOCKER'] ? describe : describe.skip;
