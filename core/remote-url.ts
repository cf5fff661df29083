/** Where a remote is, taken apart. */
export interface RemoteUrl {
  protocol: 'https' | 'http' | 'ssh' | 'file';
  /** With its port; lower case; empty for `file`. */
  host: string;
  /** Without credentials and passwords; what is given to git, and shown to people. */
  url: string;
  /** `owner/name` as a forge understands it, or `null` if the path is not of that form. */
  repository: { owner: string; name: string } | null;
}

/** A credential for HTTP that somebody wrote into a remote's URL. */
export interface UrlCredential {
  username: string;
  password: string | null;
}

/**
 * Takes a remote's URL apart, `host:path` and plain paths included. `null` for a transport that Signalbox does not use, such as
 * `git://` or a remote helper.
 */
export function parseRemoteUrl(text: string): { remote: RemoteUrl; credential: UrlCredential | null } | null {
  const url = text.trim();
  if (/^(?:\/|\.{1,2}\/|file:\/\/)/.test(url)) {
    return { remote: { protocol: 'file', host: '', url, repository: null }, credential: null };
  }
  const parts = /^(https?|ssh|git\+ssh|ssh\+git):\/\/(?:([^@/]*)@)?(\[[^\]]*\](?::\d+)?|[^/@]+)(\/.*)?$/i.exec(url);
  if (parts === null) return url.includes('://') || url.includes('::') ? null : parseScp(url);
  const [, scheme = '', userinfo, authority = '', path = ''] = parts;
  const protocol = scheme.toLowerCase().includes('ssh') ? 'ssh' : scheme.toLowerCase() === 'http' ? 'http' : 'https';
  const host = authority.toLowerCase();
  const credential = userinfo === undefined ? null : credentialOf(userinfo);
  // Ssh's user is part of the address; a password does not belong there, and ssh would not take it.
  const user = protocol === 'ssh' && credential !== null ? `${encodeURIComponent(credential.username)}@` : '';
  const shown = `${protocol}://${user}${host}${path}`;
  const remote: RemoteUrl = { protocol, host, url: shown, repository: repositoryOf(path) };
  return { remote, credential: protocol === 'ssh' ? null : credential };
}

function parseScp(url: string): { remote: RemoteUrl; credential: null } | null {
  const parts = /^(?:([^@/:]+)@)?(\[[^\]]+\]|[^:/@]+):(.+)$/.exec(url);
  if (parts === null) return null;
  const [, , host = '', path = ''] = parts;
  const remote: RemoteUrl = { protocol: 'ssh', host: host.toLowerCase(), url, repository: repositoryOf(path) };
  return { remote, credential: null };
}

function repositoryOf(path: string): RemoteUrl['repository'] {
  const [, owner, name] = /^\/*([^/]+)\/([^/]+?)(?:\.git)?\/*$/.exec(path.replace(/[?#].*$/, '')) ?? [];
  if (owner === undefined || name === undefined || /^\.+$/.test(owner) || /^\.+$/.test(name)) return null;
  return { owner, name };
}

function credentialOf(userinfo: string): UrlCredential {
  const colon = userinfo.indexOf(':');
  const [username, password] = colon === -1 ? [userinfo, null] : [userinfo.slice(0, colon), userinfo.slice(colon + 1)];
  return { username: decoded(username), password: password === null ? null : decoded(password) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Is it this machine, by its loopback addresses? Plain HTTP carries credentials nowhere else. */
export function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i.test(host);
}
