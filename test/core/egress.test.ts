import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { configSchema } from '../../core/config.ts';
import { allowProblem, connectTarget, isAllowed, networkProblem } from '../../core/egress.ts';
import { agentNetwork, bootstrapNetwork, checkNetwork } from '../../core/step-network.ts';

describe('an entry of the allow-list', () => {
  test.each([
    'registry.example.org',
    '*.example.org',
    'Example.ORG:8443',
    'npm',
    'registries',
    'artefacts:443',
    '10.1.2.3',
    'xn--bcher-kva.example',
  ])('may be %s', (entry) => expect(allowProblem(entry)).toBeNull());

  test.each([
    '',
    '*',
    '*.',
    'npn',
    'https://example.org',
    'example.org/path',
    'user@example.org',
    'a b.org',
    'example.org:0',
    'example.org:70000',
    '*.*.org',
    'a.*.org',
    '1.2.3',
    '0x7f.1',
    '127.1',
    '*.1.2.3.4',
    '[::1]:443',
    '-a.org',
    'a..org',
    '*:443',
  ])('may not be %s', (entry) => expect(allowProblem(entry)).toEqual(expect.any(String)));

  test('that is a mistyped preset is told which there are', () => {
    expect(allowProblem('npn')).toContain('npm, pypi');
  });
});

describe('an allow-list', () => {
  test.each([
    [['example.org'], 'example.org', 443, true],
    [['example.org'], 'EXAMPLE.org.', 443, true],
    [['example.org'], 'www.example.org', 443, false],
    [['example.org'], 'example.org', 80, false],
    [['example.org'], 'badexample.org', 443, false],
    [['example.org'], 'example.org.evil.net', 443, false],
    [['*.example.org'], 'a.b.example.org', 443, true],
    [['*.example.org'], 'example.org', 443, false],
    [['*.example.org'], 'badexample.org', 443, false],
    [['example.org:8443'], 'example.org', 8443, true],
    [['example.org:8443'], 'example.org', 443, false],
    [['npm'], 'registry.npmjs.org', 443, true],
    [['npm'], 'pypi.org', 443, false],
    [['registries'], 'proxy.golang.org', 443, true],
    [[], 'example.org', 443, false],
  ])('%j and %s:%d: %p', (allow, host, port, expected) => {
    expect(isAllowed(allow, host, port)).toBe(expected);
  });

  test('allows nothing that does not end in one of its names', () => {
    fc.assert(
      fc.property(fc.domain(), fc.domain(), (allowed, host) => {
        const fits = host === allowed || host.endsWith(`.${allowed}`);
        return fits || !isAllowed([allowed, `*.${allowed}`], host, 443);
      }),
    );
  });
});

test('a CONNECT names a host and a port, and nothing else', () => {
  expect(connectTarget('example.org:443')).toEqual({ host: 'example.org', port: 443 });
  for (const text of [
    'example.org',
    'example.org:',
    ':443',
    '[::1]:443',
    'http://a:80',
    'a:0',
    'a:99999',
    'a b:1',
    'a\r\nb:1',
  ])
    expect(connectTarget(text)).toBeNull();
});

test.each([
  ['10.0.0.0/8', true],
  ['fd00::/8', true],
  ['10.0.0.0', false],
  ['10.0.0/8', false],
  ['10.0.0.0/33', false],
  ['a/8', false],
])('a private network may be %s: %p', (network, fine) => expect(networkProblem(network) === null).toBe(fine));

describe('the network of a step', () => {
  const sandbox = (settings: object) => configSchema.parse({ sandbox: settings }).sandbox;

  test('is the gateway alone for agents, and nothing for checks, unless hosts are allowed', () => {
    expect([agentNetwork(sandbox({})), checkNetwork(sandbox({}))]).toEqual(['gateway', 'none']);
    const open = sandbox({ allow: ['npm'] });
    const hosts = { allow: ['npm'], private: [] };
    expect([agentNetwork(open), checkNetwork(open)]).toEqual([hosts, hosts]);
  });

  test('is what the configuration insists on otherwise', () => {
    for (const network of ['none', 'bridge'])
      expect([agentNetwork(sandbox({ network })), checkNetwork(sandbox({ network }))]).toEqual([network, network]);
  });

  test('is the registries, and what is allowed besides, for the installation of dependencies', () => {
    const settings = sandbox({ allow: ['packages.corp.example'], allow_private: ['10.0.0.0/8'] });
    expect(bootstrapNetwork(settings, 'none')).toBe('none');
    expect(bootstrapNetwork(settings, 'registries')).toEqual({
      allow: ['registries', 'packages.corp.example'],
      private: ['10.0.0.0/8'],
    });
    expect(bootstrapNetwork(sandbox({ network: 'bridge' }), 'registries')).toBe('bridge');
    expect(bootstrapNetwork(sandbox({ network: 'none' }), 'registries')).toEqual({
      allow: ['registries'],
      private: [],
    });
  });

  test('cannot allow hosts where nothing, or everything, is reached', () => {
    for (const network of ['none', 'bridge'])
      expect(configSchema.safeParse({ sandbox: { network, allow: ['npm'] } }).success).toBe(false);
  });
});
