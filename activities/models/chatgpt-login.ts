import { readFileSync } from 'node:fs';

import { z } from 'zod';

import { SignalboxError } from '../../core/failures.ts';
import { withProcessLock } from '../process-lock.ts';
import { unlessMissing } from '../system-errors.ts';
import { writeWhole } from '../whole-file.ts';
import { nameOf } from './ask-upstream.ts';
import type { Upstream } from './upstream.ts';

/** ChatGPT's side of the API that Codex asks, and where its tokens are made anew. */
export const CHATGPT_URL = 'https://chatgpt.com/backend-api/codex';
export const TOKEN_URL = 'https://auth.openai.com/oauth/token';

/** Codex's name at the log-in, which is public: whoever refreshes a login of Codex has to be it. */
const CLIENT_ID = 'app_EMoamEEZ73f0CkXaXp7hrann';
/** A token that ends within so long is refreshed before it is used, in milliseconds. */
const MARGIN = 5 * 60_000;
const PATIENCE = 20_000;

const tokens = z.looseObject({
  id_token: z.string(),
  access_token: z.string(),
  refresh_token: z.string(),
  account_id: z.string().nullish(),
});
/** `auth.json`, as `codex login` writes it. */
const login = z.looseObject({ tokens });
const refreshed = z.looseObject({
  id_token: z.string().optional(),
  access_token: z.string(),
  refresh_token: z.string().optional(),
});
const claims = z.looseObject({
  exp: z.number().optional(),
  'https://api.openai.com/auth': z.looseObject({ chatgpt_account_id: z.string().optional() }).optional(),
});

type Login = z.infer<typeof login>;

/** What a {@link ChatGptLogin} needs. */
export interface ChatGptLoginOptions {
  /** The login's `auth.json`. It is the gateway's own: a refresh makes the token that was refreshed useless elsewhere. */
  file: string;
  /** Where there is no login. */
  otherwise: Upstream;
  url?: string;
  tokenUrl?: string;
}

/**
 * A login at ChatGPT in place of a key. The gateway keeps it fresh, one process at a time, and writes it back before it
 * uses it. No sandbox gets to see it.
 */
export class ChatGptLogin implements Upstream {
  readonly #options: ChatGptLoginOptions;

  constructor(options: ChatGptLoginOptions) {
    this.#options = options;
  }

  async address(): ReturnType<Upstream['address']> {
    const known = this.#read();
    if (known === null) return await this.#options.otherwise.address();
    const current = isFresh(known, MARGIN) ? known : await this.#refresh(known.tokens.access_token);
    return { url: this.#options.url ?? CHATGPT_URL, headers: headersOf(current) };
  }

  async renew(refusedHeaders: Readonly<Record<string, string>>): Promise<boolean> {
    const known = this.#read();
    if (known === null) return false;
    const refused = refusedHeaders['authorization']?.replace(/^Bearer /, '') ?? '';
    const current = await this.#refresh(refused);
    return current.tokens.access_token !== refused;
  }

  /** @param old the token that is not good any more: if there is another one by now, somebody else was quicker */
  async #refresh(old: string): Promise<Login> {
    const { file } = this.#options;
    return await withProcessLock(`${file}.lock`, async () => {
      const known = this.#read();
      if (known === null) throw lost('there is none any more');
      if (known.tokens.access_token !== old) return known;
      try {
        const next = await this.#ask(known);
        writeWhole(file, `${JSON.stringify(next, null, 2)}\n`);
        return next;
      } catch (error) {
        // Too early to need it: the one that there is serves on.
        if (isFresh(known, 0) && !(error instanceof SignalboxError)) return known;
        throw error instanceof SignalboxError ? error : lost(`${new URL(this.#tokenUrl).host}: ${nameOf(error)}`);
      }
    });
  }

  async #ask(known: Login): Promise<Login> {
    const { refresh_token } = known.tokens;
    const body = { client_id: CLIENT_ID, grant_type: 'refresh_token', refresh_token, scope: 'openid profile email' };
    const response = await fetch(this.#tokenUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE),
    });
    if (response.status >= 400 && response.status < 500) throw lost(`it was refused with status ${response.status}`);
    const fresh = refreshed.parse(response.ok ? await response.json() : null);
    const given = Object.fromEntries(Object.entries(fresh).filter(([name]) => name in refreshed.shape));
    return { ...known, tokens: { ...known.tokens, ...given }, last_refresh: new Date().toISOString() };
  }

  get #tokenUrl(): string {
    return this.#options.tokenUrl ?? TOKEN_URL;
  }

  #read(): Login | null {
    const text = unlessMissing(() => readFileSync(this.#options.file, 'utf8'));
    if (text === null) return null;
    try {
      return login.parse(JSON.parse(text));
    } catch {
      throw lost('its file is not one that `codex login` writes');
    }
  }
}

function lost(why: string): SignalboxError {
  return new SignalboxError('environment', `the ChatGPT login cannot be used: ${why}`, { hint: 'Log in again.' });
}

function headersOf({ tokens: known }: Login): Record<string, string> {
  const { access_token, id_token, account_id } = known;
  const account = account_id ?? claimsOf(id_token)?.['https://api.openai.com/auth']?.chatgpt_account_id;
  const named = account === undefined ? {} : { 'chatgpt-account-id': account };
  return { authorization: `Bearer ${access_token}`, ...named };
}

/** Is the access token good for some time? One that does not tell its end is taken for good until it is refused. */
function isFresh({ tokens: known }: Login, margin: number): boolean {
  const end = claimsOf(known.access_token)?.exp;
  return end === undefined || end * 1000 - Date.now() > margin;
}

/** What a token says of itself. Nobody's word is taken for it: it only tells when to refresh, and which account it is. */
function claimsOf(token: string): z.infer<typeof claims> | null {
  try {
    return claims.parse(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')));
  } catch {
    return null;
  }
}
