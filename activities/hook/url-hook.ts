import { SignalboxError } from '../../core/failures.ts';
import type { Hook, HookMessage } from './hook.ts';

/** How long a server may take to answer, milliseconds. */
const LIMIT_MS = 30_000;

/** A URL that gets the message as the body of a POST. Any answer of 200 to 299 means that it was taken. */
export class UrlHook implements Hook {
  readonly #url: URL;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #limitMs: number;

  /** @throws SignalboxError `environment` for a malformed URL */
  constructor(url: string, limitMs = LIMIT_MS) {
    const parsed = URL.parse(url);
    if (parsed === null || parsed.hostname === '') {
      // Without the text: a path may be a secret.
      throw new SignalboxError('environment', 'SIGNALBOX_HOOK begins like a URL, but is none', {
        hint: 'Write it like https://example.org/path; anything that does not begin with http: or https: is a command.',
      });
    }
    const { username, password } = parsed;
    const word = Buffer.from(unescaped(`${username}:${password}`)).toString('base64');
    parsed.username = '';
    parsed.password = '';
    this.#url = parsed;
    this.#headers = {
      'content-type': 'application/json',
      'user-agent': 'signalbox',
      ...(username + password === '' ? {} : { authorization: `Basic ${word}` }),
    };
    this.#limitMs = limitMs;
  }

  async call(message: HookMessage, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const timeout = AbortSignal.timeout(this.#limitMs);
    const status = await this.#post(message, AbortSignal.any([signal, timeout])).catch((cause: unknown) => {
      signal.throwIfAborted();
      const why = timeout.aborted ? `did not answer within ${this.#limitMs / 1000} s` : 'could not be reached';
      throw this.#failure(`${why}${codeOf(cause)}`, true);
    });
    if (status >= 200 && status <= 299) return;
    throw this.#failure(`answered ${status}`, status >= 500 || status === 408 || status === 429);
  }

  async #post(message: HookMessage, signal: AbortSignal): Promise<number> {
    const response = await fetch(this.#url, {
      method: 'POST',
      headers: this.#headers,
      body: JSON.stringify(message),
      // A redirect would turn the POST into a GET without the message.
      redirect: 'manual',
      signal,
    });
    await response.body?.cancel();
    return response.status;
  }

  /** Names the host only. */
  #failure(what: string, retryable: boolean): SignalboxError {
    return new SignalboxError('environment', `the hook at ${this.#url.host} ${what}`, { retryable });
  }
}

/** The system's name for what went wrong, such as ECONNREFUSED: `fetch` puts it into its error's cause. */
function codeOf(error: unknown): string {
  const cause: unknown = typeof error === 'object' && error !== null && 'cause' in error ? error.cause : null;
  const code: unknown = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : null;
  return typeof code === 'string' ? ` (${code})` : '';
}

/** Percent-encoding undone; text in which it is broken stays as it is. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
