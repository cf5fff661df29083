import { SignalboxError } from '../../core/failures.ts';

/** Where the gateway sends requests, and with which key. */
export interface Upstream {
  /** The API's base, as OpenAI's clients understand it: `…/v1`, without a slash at the end. */
  url: string;
  /** `null`: none is known; requests go out without one. */
  apiKey: string | null;
}

const DEFAULT_URL = 'https://api.openai.com/v1';

/**
 * The upstream that an environment names: `OPENAI_BASE_URL`, `CODEX_API_KEY` or else `OPENAI_API_KEY`.
 *
 * @returns `null` when it names none of them, that is, has no opinion
 * @throws SignalboxError `config` for a base URL that is none
 */
export function upstreamOf(env: Readonly<Record<string, string | undefined>>): Upstream | null {
  const base = env['OPENAI_BASE_URL'] || null;
  const apiKey = env['CODEX_API_KEY'] || env['OPENAI_API_KEY'] || null;
  if (base === null && apiKey === null) return null;
  return { url: base === null ? DEFAULT_URL : checkedBase(base), apiKey };
}

/** The upstream when nobody named one. */
export function defaultUpstream(): Upstream {
  return { url: DEFAULT_URL, apiKey: null };
}

function checkedBase(base: string): string {
  const url = URL.parse(base);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new SignalboxError('config', 'OPENAI_BASE_URL is not an http or https URL', {
      hint: `Set it to something like ${DEFAULT_URL}, or unset it.`,
    });
  }
  // It is shown in status and logs, and is no place for a secret.
  url.username = '';
  url.password = '';
  url.search = '';
  url.hash = '';
  return url.href.replace(/\/+$/, '');
}
