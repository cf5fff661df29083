import type { Home } from '../../activities/home.ts';
import { LocalSandbox } from '../../activities/sandbox/local-sandbox.ts';
import type { Sandbox } from '../../activities/sandbox/sandbox.ts';

/** A sandbox as the tests use it. */
export function sandboxOf(_backend: 'docker' | 'local', home: Home): Sandbox {
  return new LocalSandbox({ home, gatewayUrl: 'http://127.0.0.1:9', env: process.env });
}
