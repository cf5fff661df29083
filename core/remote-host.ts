type Env = Readonly<Record<string, string | undefined>>;

const GITHUB = 'github.com';

/** The host that a remote's API and token belong to: ssh has ports and a name of its own. */
export function forgeHost({ protocol, host }: { protocol: string; host: string }): string {
  const bare = protocol === 'ssh' ? host.replace(/:\d+$/, '') : host;
  return bare === 'ssh.github.com' || bare === 'www.github.com' ? GITHUB : bare;
}

/** The host that `GITHUB_SERVER_URL` names, as GitHub's own runners set it. */
function serverHost(env: Env): string {
  return /^https?:\/\/([^/@]+)/i.exec(env['GITHUB_SERVER_URL'] ?? '')?.[1]?.toLowerCase() ?? GITHUB;
}

/**
 * The variables that may hold a token for a host, the first one first, as `gh` knows them: a token for GitHub's own hosts goes to
 * no other one.
 */
export function tokenVariables(host: string, env: Env): readonly string[] {
  const own = host === GITHUB || host.endsWith('.ghe.com') || host === serverHost(env);
  return own ? ['GH_TOKEN', 'GITHUB_TOKEN'] : ['GH_ENTERPRISE_TOKEN', 'GITHUB_ENTERPRISE_TOKEN'];
}

/** Where a host's REST API is. `GITHUB_API_URL` counts for the host of `GITHUB_SERVER_URL` only. */
export function apiUrl(host: string, env: Env): string {
  const configured = env['GITHUB_API_URL'];
  if (configured && host === serverHost(env)) return configured.replace(/\/+$/, '');
  if (host === GITHUB) return 'https://api.github.com';
  return host.endsWith('.ghe.com') ? `https://api.${host}` : `https://${host}/api/v3`;
}
