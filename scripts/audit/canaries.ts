import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import type Docker from 'dockerode';

/** Where somebody else's container serves. */
export const OTHER_PORT = 8443;

/** Canaries: services of this host on all its addresses. */
export async function hostServices(): Promise<{
  reachable: [string, string][];
  touches: () => number;
  close: () => void;
}> {
  let touched = 0;
  const onConnection = (socket: { end(): void; on(event: 'error', does: () => void): unknown }): void => {
    touched += 1;
    socket.on('error', () => undefined);
    socket.end();
  };
  const service = createServer(onConnection);
  await once(service.listen(0, '::'), 'listening');
  const abstract = `signalbox-audit-${process.pid}-${Date.now()}`;
  const local = createServer(onConnection);
  await once(local.listen(`\0${abstract}`), 'listening');
  const datagrams = createSocket('udp4', () => (touched += 1));
  datagrams.bind(0);
  await once(datagrams, 'listening');
  const { port } = service.address() as AddressInfo;
  const own = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  const addresses = own.filter(({ address }) => !address.startsWith('fe80:')).map(({ address }) => address);
  const outward = own.find(({ internal, family }) => !internal && family === 'IPv4')?.address ?? '127.0.0.1';
  return {
    reachable: [
      ...addresses.map((address): [string, string] => ['connect', `this host at ${address} ${address} ${port}`]),
      ['datagram', `this host ${outward} ${datagrams.address().port}`],
      ['abstract', abstract],
      ['proxy', `${outward}:${port}`],
    ],
    touches: () => touched,
    close: () => {
      service.close();
      local.close();
      datagrams.close();
    },
  };
}

/** Somebody else's container, with a service, on a network of its own. */
export async function otherContainer(
  engine: Docker,
  image: string,
): Promise<{ address: string; remove: () => Promise<void> }> {
  const name = `signalbox-audit-${process.pid}-${Date.now()}`;
  const network = await engine.createNetwork({ Name: name });
  const listen = `TCP-LISTEN:${OTHER_PORT},fork,reuseaddr`;
  const container = await engine.createContainer({
    ...{ name, Image: image, Entrypoint: ['socat', listen, 'SYSTEM:echo canary'] },
    HostConfig: { NetworkMode: name, Init: true },
  });
  await container.start();
  const { NetworkSettings } = await container.inspect();
  return {
    address: NetworkSettings.Networks[name]?.IPAddress ?? '',
    remove: async () => {
      await container.remove({ force: true });
      await network.remove();
    },
  };
}
