import { SignalboxError } from '../../core/failures.ts';

/** Kinds of APIs: OpenAI's and what is compatible with it, and Anthropic's. */
export type Provider = 'openai' | 'anthropic';

/** An API that the gateway forwards to. */
export interface Upstream {
  /** Where a request goes now: the API's base, without a slash at the end, and the headers that make it ours. */
  address(): Promise<{ url: string; headers: Record<string, string> }>;
  /**
   * Is told that these headers were refused.
   *
   * @returns whether there are others now, with which it may be asked again
   */
  renew?(refused: Readonly<Record<string, string>>): Promise<boolean>;
}

/** Where an environment says that requests of one kind go, and with which key. */
export interface Endpoint {
  /** The API's base: `…/v1`, without a slash at the end. */
  url: string;
  /** `null`: none is known. */
  apiKey: string | null;
}

export type Endpoints = Readonly<Record<Provider, Endpoint>>;

const DEFAULT_URLS: Readonly<Record<Provider, string>> = {
  openai: 'https://api.openai.com/v1',
  anthropic: 'https://api.anthropic.com/v1',
};

/**
 * The upstreams that an environment names: `OPENAI_BASE_URL`, `CODEX_API_KEY` or else `OPENAI_API_KEY`;
 * `ANTHROPIC_BASE_URL` (without `/v1`, as Anthropic's clients have it) and `ANTHROPIC_API_KEY`.
 *
 * @returns `null` when it names none of them, that is, has no opinion
 * @throws SignalboxError `config` for a base URL that is none
 */
export function endpointsOf(env: Readonly<Record<string, string | undefined>>): Endpoints | null {
  const openai = env['OPENAI_BASE_URL'] || null;
  const anthropic = env['ANTHROPIC_BASE_URL'] || null;
  const keys = {
    openai: env['CODEX_API_KEY'] || env['OPENAI_API_KEY'] || null,
    anthropic: env['ANTHROPIC_API_KEY'] || null,
  };
  if ([openai, anthropic, keys.openai, keys.anthropic].every((said) => said === null)) return null;
  const base = anthropic === null ? null : checkedBase('ANTHROPIC_BASE_URL', anthropic).replace(/\/v1$/, '');
  return {
    openai: {
      url: openai === null ? DEFAULT_URLS.openai : checkedBase('OPENAI_BASE_URL', openai),
      apiKey: keys.openai,
    },
    anthropic: { url: base === null ? DEFAULT_URLS.anthropic : `${base}/v1`, apiKey: keys.anthropic },
  };
}

/** The upstreams when nobody named one. */
export function defaultEndpoints(): Endpoints {
  return {
    openai: { url: DEFAULT_URLS.openai, apiKey: null },
    anthropic: { url: DEFAULT_URLS.anthropic, apiKey: null },
  };
}

/** Does nobody say who pays for OpenAI's own API? Then a login at ChatGPT does, where there is one. */
export function wantsLogin({ openai }: Endpoints): boolean {
  return openai.apiKey === null && openai.url === DEFAULT_URLS.openai;
}

/** An upstream with a key that stays. */
export function keyedUpstream(provider: Provider, { url, apiKey }: Endpoint): Upstream {
  const name = provider === 'openai' ? 'authorization' : 'x-api-key';
  const value = provider === 'openai' ? `Bearer ${apiKey ?? ''}` : (apiKey ?? '');
  const headers: Record<string, string> = apiKey === null ? {} : { [name]: value };
  return { address: () => Promise.resolve({ url, headers }) };
}

function checkedBase(variable: string, base: string): string {
  const url = URL.parse(base);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new SignalboxError('config', `${variable} is not an http or https URL`, {
      hint: `Set it to something like ${DEFAULT_URLS.openai}, or unset it.`,
    });
  }
  // It is shown in status and logs, and is no place for a secret.
  url.username = '';
  url.password = '';
  url.search = '';
  url.hash = '';
  return url.href.replace(/\/+$/, '');
}
