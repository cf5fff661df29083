import type { AgentTurnRequest } from './agent.ts';

/** What Codex's own sandbox lets its commands do. In a container the container is the boundary. */
export type CodexSandboxMode = 'read-only' | 'workspace-write' | 'danger-full-access';

/**
 * A turn must have the same command line whenever it is asked for, so what may differ by then (the gateway's port, whether
 * Codex's sandbox works) comes by environment. `$0` is the binary.
 */
const SCRIPT = [
  'exec "$0" exec --json --skip-git-repo-check --ignore-user-config --ignore-rules',
  '--sandbox "$SIGNALBOX_CODEX_SANDBOX"',
  '--config "model_providers.signalbox.base_url=\\"$SIGNALBOX_MODEL_URL\\""',
  '"$@" -',
].join(' ');

/** The variable that holds the step's token for the gateway. */
export const TOKEN_VARIABLE = 'SIGNALBOX_MODEL_TOKEN';

/** Features that reach for other services, bring code of their own, or wait without end. */
const FEATURES_OFF = [
  'apps',
  'browser_use',
  'browser_use_external',
  'computer_use',
  'hooks',
  'image_generation',
  'plugins',
  'remote_plugin',
  'skill_mcp_dependency_install',
  'tool_suggest',
  'unbounded_connection_retries',
];

/**
 * Codex repeats what fails for about half a minute: long enough for a gateway that is replaced, short enough that the
 * task's own waiting, which outlives it, takes over.
 */
const CONFIG: readonly string[] = [
  'model_provider="signalbox"',
  'model_providers.signalbox.name="Signalbox"',
  'model_providers.signalbox.wire_api="responses"',
  `model_providers.signalbox.env_key="${TOKEN_VARIABLE}"`,
  'model_providers.signalbox.supports_websockets=false',
  'model_providers.signalbox.request_max_retries=4',
  'model_providers.signalbox.stream_max_retries=5',
  'model_providers.signalbox.stream_idle_timeout_ms=300000',
  'approval_policy="never"',
  'analytics.enabled=false',
  'feedback.enabled=false',
  'check_for_update_on_startup=false',
  'web_search="disabled"',
  `shell_environment_policy.exclude=["${TOKEN_VARIABLE}"]`,
  ...FEATURES_OFF.map((feature) => `features.${feature}=false`),
];

/** The argument vector of a turn: `codex exec`, with the prompt on standard input and events on standard output. */
export function codexCommand(
  binary: string,
  request: Pick<AgentTurnRequest, 'threadId' | 'model' | 'reasoningEffort' | 'network'>,
): string[] {
  const config = [...CONFIG];
  if (request.reasoningEffort !== undefined)
    config.push(`model_reasoning_effort=${JSON.stringify(request.reasoningEffort)}`);
  if (request.network === 'bridge') config.push('sandbox_workspace_write.network_access=true');
  return [
    '/bin/sh',
    '-c',
    SCRIPT,
    binary,
    ...config.flatMap((setting) => ['--config', setting]),
    ...(request.model === undefined ? [] : ['--model', request.model]),
    ...(request.threadId === null ? [] : ['resume', request.threadId]),
  ];
}

/** The environment that belongs to {@link codexCommand}. */
export function codexEnvironment(settings: {
  home: string;
  gatewayUrl: string;
  token: string;
  sandbox: CodexSandboxMode;
}): Record<string, string> {
  return {
    CODEX_HOME: settings.home,
    SIGNALBOX_MODEL_URL: `${settings.gatewayUrl}/v1`,
    SIGNALBOX_CODEX_SANDBOX: settings.sandbox,
    [TOKEN_VARIABLE]: settings.token,
  };
}
