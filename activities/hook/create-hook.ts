import { CommandHook } from './command-hook.ts';
import type { Hook } from './hook.ts';
import { UrlHook } from './url-hook.ts';

/** Where hooks are configured: never in a repository, since an agent's merged change could then run anything here. */
export const HOOK_VARIABLE = 'SIGNALBOX_HOOK';

/**
 * The hook that the environment names: a URL, or a command line.
 *
 * @param onOutput told what a hook that failed has said; it goes to the worker's log, not to a history
 * @returns `null` for none
 * @throws SignalboxError `environment` for a malformed URL
 */
export function createHook(
  env: Readonly<Record<string, string | undefined>>,
  onOutput: (text: string) => void,
): Hook | null {
  const setting = env[HOOK_VARIABLE]?.trim() ?? '';
  if (setting === '') return null;
  return /^https?:/i.test(setting) ? new UrlHook(setting) : new CommandHook({ command: setting, env, onOutput });
}
