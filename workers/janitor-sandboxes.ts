import { connectEngine, probeEngine } from '../activities/sandbox/engine.ts';
import { DockerSandbox } from '../activities/sandbox/docker-sandbox.ts';
import { LocalSandbox } from '../activities/sandbox/local-sandbox.ts';
import type { Redactor } from '../activities/redaction/redactor.ts';
import type { Sandbox } from '../activities/sandbox/sandbox.ts';
import type { Home } from '../activities/home.ts';

/**
 * The sandboxes that may hold steps of a home, whoever started them; Docker only while an engine answers. They are for
 * finding and ending steps: none can be started in them.
 *
 * @param redactor keeps secrets out of what is still to be read of steps that end
 */
export function janitorSandboxes(
  home: Home,
  env: Readonly<Record<string, string | undefined>>,
  redactor: Redactor,
): () => Promise<readonly Sandbox[]> {
  const engine = connectEngine(env);
  const local = new LocalSandbox({ home, gatewayUrl: '', env, redactor });
  const docker = new DockerSandbox({ engine, home, env, redactor, image: '', user: { uid: 0, gid: 0 }, limits: {} });
  return async () => ((await probeEngine(engine)).available ? [local, docker] : [local]);
}
