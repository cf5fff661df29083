/** What a step may reach besides models, through the gateway's proxy. */
export interface Egress {
  /** Hosts and names of presets, as the configuration has them. */
  readonly allow: readonly string[];
  /** Networks of private addresses that allowed hosts may have, such as `10.20.0.0/16`; by default none. */
  readonly private: readonly string[];
}

/** The public package registries, by the names that the configuration calls them. */
const REGISTRIES: Readonly<Record<string, readonly string[]>> = {
  npm: ['registry.npmjs.org', 'registry.yarnpkg.com'],
  pypi: ['pypi.org', 'files.pythonhosted.org'],
  crates: ['index.crates.io', 'static.crates.io', 'crates.io'],
  go: ['proxy.golang.org', 'sum.golang.org'],
  maven: ['repo.maven.apache.org', 'repo1.maven.org', 'plugins.gradle.org', 'services.gradle.org'],
  rubygems: ['rubygems.org', 'index.rubygems.org'],
  nuget: ['api.nuget.org'],
  packagist: ['packagist.org', 'repo.packagist.org'],
  hex: ['hex.pm', 'repo.hex.pm', 'builds.hex.pm'],
  pub: ['pub.dev'],
};

/** Names that stand for hosts in `sandbox.allow`. */
const PRESETS: Readonly<Record<string, readonly string[]>> = {
  ...REGISTRIES,
  registries: Object.values(REGISTRIES).flat(),
};

/** A host, or all below one, and a port other than 443. */
const RULE =
  /^(\*\.)?((?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?)(?::(\d{1,5}))?$/;

/** Says why a text is no entry of `sandbox.allow`, or `null` if it is one. */
export function allowProblem(entry: string): string | null {
  if (Object.hasOwn(PRESETS, entry)) return null;
  const [, wild, host = '', port] = RULE.exec(entry.toLowerCase()) ?? [];
  const quoted = JSON.stringify(entry.length > 80 ? `${entry.slice(0, 77)}…` : entry);
  if (host === '' || host.length > 253) {
    return `${quoted} is no host such as registry.example.org, *.example.org or example.org:8443 (\`sandbox.network: bridge\` is the way to everything)`;
  }
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) return `${quoted} names a port that is none`;
  if (!host.includes('.') && (port === undefined || wild !== undefined)) {
    return `${quoted} is no preset (they are ${Object.keys(PRESETS).join(', ')}); a host of one word needs a port, such as ${host}:443`;
  }
  const last = host.slice(host.lastIndexOf('.') + 1);
  // Clients read such names as addresses, each in its own way.
  if (/^(?:\d+|0x[0-9a-f]*)$/.test(last) && (wild !== undefined || !isAddress(host))) {
    return `${quoted} is neither a name nor a whole IPv4 address`;
  }
  return null;
}

/** Says why a text is no network of `sandbox.allow_private`, or `null` if it is one. */
export function networkProblem(network: string): string | null {
  const [address = '', bits = '', ...more] = network.split('/');
  const four = isAddress(address) && /^\d{1,2}$/.test(bits) && Number(bits) <= 32;
  const six = /^[0-9a-f:]*:[0-9a-f:]*$/i.test(address) && /^\d{1,3}$/.test(bits) && Number(bits) <= 128;
  if (more.length === 0 && (four || six)) return null;
  return `${JSON.stringify(network.slice(0, 80))} is no network such as 10.20.0.0/16`;
}

/** Is a host with a port, as a client names it, among those that are allowed? */
export function isAllowed(allow: readonly string[], host: string, port: number): boolean {
  const name = host.toLowerCase().replace(/\.$/, '');
  return allow
    .flatMap((entry) => (Object.hasOwn(PRESETS, entry) ? (PRESETS[entry] ?? []) : [entry]))
    .some((entry) => {
      const [, wild, allowed = '', allowedPort = '443'] = RULE.exec(entry.toLowerCase()) ?? [];
      if (allowed === '' || Number(allowedPort) !== port) return false;
      return wild === undefined ? name === allowed : name.endsWith(`.${allowed}`);
    });
}

/** What a `CONNECT` asks for: `host:port`; `null` for anything else. */
export function connectTarget(text: string): { host: string; port: number } | null {
  const [, host = '', port = ''] = /^([A-Za-z0-9._-]{1,254}):(\d{1,5})$/.exec(text) ?? [];
  return host === '' || Number(port) < 1 || Number(port) > 65_535 ? null : { host, port: Number(port) };
}

function isAddress(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}
