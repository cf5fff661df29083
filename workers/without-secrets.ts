import { environmentRedactor } from '../activities/redaction/environment-secrets.ts';
import { SignalboxError } from '../core/failures.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** A text, saying nothing of what is secret in an environment, or has the shape of a key. */
export function textWithoutSecrets(text: string, env: Env): string {
  return environmentRedactor(env).text(text);
}

/** The same failure, likewise. */
export function failureWithoutSecrets(failure: SignalboxError, env: Env): SignalboxError {
  const { code, message, hint, retryable, cause } = failure;
  return new SignalboxError(code, textWithoutSecrets(message, env), {
    ...(hint === undefined ? {} : { hint: textWithoutSecrets(hint, env) }),
    retryable,
    cause,
  });
}
