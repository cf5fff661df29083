import { execa } from 'execa';
import { tokenVariables } from '../../core/remote-host.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** What opens a remote. It stays in this process's memory, and goes to children through a pipe only. */
export interface Credential {
  username: string;
  password: string;
  /** Where it was found, for people: `GH_TOKEN`, `gh`, … */
  source: string;
}

/** GitHub takes a token with any user's name; this one says what it is. */
const TOKEN_USER = 'x-access-token';

/** What `gh` needs to find and open its own store. */
const GH_VARIABLES = [
  ...['PATH', 'HOME', 'USER', 'TMPDIR', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_STATE_HOME', 'GH_CONFIG_DIR'],
  ...['XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS'],
];

/** The token for a host: from the environment, else from `gh`, if it is installed and logged in there; else `null`. */
export async function findToken(host: string, env: Env): Promise<Credential | null> {
  for (const name of tokenVariables(host, env)) {
    const value = env[name]?.trim();
    if (value) return { username: TOKEN_USER, password: value, source: name };
  }
  const ghEnv = Object.fromEntries(GH_VARIABLES.map((name) => [name, env[name]]));
  const { stdout, failed } = await execa('gh', ['auth', 'token', '--hostname', host], {
    env: ghEnv,
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
    timeout: 10_000,
  });
  const token = failed ? '' : stdout.trim();
  return token === '' ? null : { username: TOKEN_USER, password: token, source: 'gh' };
}

/** Takes a credential out of a text that somebody will read. */
export function withoutSecret(text: string, credential: Credential | null): string {
  if (credential === null || credential.password.length < 4) return text;
  const writings = [
    credential.password,
    encodeURIComponent(credential.password),
    Buffer.from(`${credential.username}:${credential.password}`).toString('base64'),
  ];
  return writings.reduce((shown, secret) => shown.replaceAll(secret, '***'), text);
}
