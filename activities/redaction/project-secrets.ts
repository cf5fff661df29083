import type { Config } from '../../core/config.ts';
import { environmentSecrets } from './environment-secrets.ts';
import type { KnownSecrets } from './redactor.ts';

/** What a project's configuration says is secret, with the values from an environment. */
export function projectSecrets(
  { redact }: Pick<Config, 'redact'>,
  env: Readonly<Record<string, string | undefined>>,
): Required<KnownSecrets> {
  return { secrets: environmentSecrets(env, redact.names), patterns: redact.patterns };
}
