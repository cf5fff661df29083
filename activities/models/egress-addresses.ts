import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

/** Never reached: this host itself, what is not addressed to one host, and where clouds tell machines their secrets. */
const NEVER = [
  ...['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '240.0.0.0/4'],
  ...['100.100.100.200/32', '168.63.129.16/32', '192.0.0.0/24', 'fd00:ec2::254/128'],
];
/** Addresses of networks that are somebody's own. */
const PRIVATE = [
  ...['10.0.0.0/8', '100.64.0.0/10', '172.16.0.0/12', '192.168.0.0/16', '198.18.0.0/15'],
  ...['192.0.2.0/24', '192.88.99.0/24', '198.51.100.0/24', '203.0.113.0/24'],
];
/** The part of IPv6 that is public, and what lies in it but holds other addresses, or none. */
const PUBLIC_6 = ['2000::/3'];
const NOT_PUBLIC_6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];
/** Unique local addresses: IPv6's private ones. */
const LOCAL_6 = ['fc00::/7'];

const never = blockList(NEVER);
const privates = blockList([...PRIVATE, ...LOCAL_6]);
const public6 = blockList(PUBLIC_6);
const notPublic6 = blockList(NOT_PUBLIC_6);

/**
 * May a step connect to an address, once its host's name is allowed? Public ones yes; private ones where the configuration
 * names their network; those of this host and of cloud metadata never.
 *
 * @param privateNetworks of `sandbox.allow_private`
 */
export function mayConnect(address: string, privateNetworks: readonly string[]): boolean {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  if (isIP(address) === 0 || never.check(address, family) || ownAddresses().includes(address)) return false;
  // An IPv4 address in another form, which would be known by neither list.
  if (family === 'ipv6' && address.includes('.')) return false;
  if (privates.check(address, family)) return blockList(privateNetworks).check(address, family);
  return family === 'ipv4' || (public6.check(address, 'ipv6') && !notPublic6.check(address, 'ipv6'));
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
}

function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits = ''] = network.split('/');
    list.addSubnet(address, Number(bits), isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}
