import { Redactor } from './redactor.ts';
import { entropyOf } from './secret-rules.ts';
import { shapesIn } from './secret-shapes.ts';

/** Hides what is secret of an environment. */
export function environmentRedactor(env: Env): Redactor {
  return new Redactor({ secrets: environmentSecrets(env) });
}

type Env = Readonly<Record<string, string | undefined>>;

/** Variables of such names hold keys. */
const SECRET_NAME =
  /(?:^|_)(?:API_?KEYS?|KEYS?|TOKENS?|SECRETS?|PASSWORDS?|PASSWD|PASS|PASSPHRASE|PWD|CREDENTIALS?|AUTH|PAT|DSN|COOKIE|PRIVATE|SIGNATURE)(?:_|$|\d)/i;
/** What such names mean besides: places, and our own. */
const HARMLESS_NAME = /^(?:OLD)?PWD$|_(?:FILE|PATH|DIR|SOCK|SOCKET|URL|URI|HOST|PORT|USER|NAME|ALGORITHM|TYPE|TTL)$/i;
const HARMLESS_VALUE = /^(?:\/[^\s:]*|\.{1,2}\/\S*|true|false|yes|no|on|off|none|null|\d{1,9})$/i;
/** Below this, bits a character, a value is a word of the language, which outputs and paths hold as well. */
const RANDOM = 2.8;
const SHORTEST = 8;

/**
 * What is secret of an environment: values of variables whose names say so, if they do not look like words; values that have
 * the shape of a key; passwords in addresses; and what `names` lists, whatever it looks like.
 */
export function environmentSecrets(env: Env, names: readonly string[] = []): string[] {
  const found = new Set<string>();
  for (const name of names) if (env[name]) found.add(env[name]);
  for (const [name, value = ''] of Object.entries(env)) {
    if (value.length < SHORTEST) continue;
    for (const password of passwordsIn(value)) found.add(password);
    if (saysSecret(name) && looksRandom(value)) found.add(value);
    else for (const [from, to] of shapesIn(value)) found.add(value.slice(from, to));
  }
  return [...found];
}

function saysSecret(name: string): boolean {
  return SECRET_NAME.test(name) && !HARMLESS_NAME.test(name);
}

function looksRandom(value: string): boolean {
  if (HARMLESS_VALUE.test(value)) return false;
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z0-9]/].filter((kind) => kind.test(value)).length;
  return entropyOf(value) >= RANDOM && (kinds >= 2 || value.length >= 20);
}

function passwordsIn(value: string): string[] {
  return [...value.matchAll(/[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:([^\s/@]{4,})@/gi)].flatMap(([, password = '']) => {
    const plain = unescaped(password);
    if (!looksRandom(plain)) return [];
    return plain === password ? [password] : [password, plain];
  });
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
