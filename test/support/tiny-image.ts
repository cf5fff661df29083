import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import tar from 'tar-stream';

/** An image of one layer. */
export interface TinyImage {
  /** Its configuration in JSON, whose digest is the image's id. */
  config: Buffer;
  /** Its only layer, a tar archive. */
  layer: Buffer;
}

/** Makes an image with a file `/marker`: nothing can run in it. */
export async function tinyImage(marker: string, architecture: string): Promise<TinyImage> {
  const pack = tar.pack();
  pack.entry({ name: 'marker', mtime: new Date(0) }, marker);
  pack.finalize();
  return imageOf(await buffer(pack), architecture);
}

/** Makes an image of a layer. */
export function imageOf(layer: Buffer, architecture: string): TinyImage {
  const rootfs = { type: 'layers', diff_ids: [digestOf(layer)] };
  return { config: Buffer.from(JSON.stringify({ architecture, os: 'linux', config: {}, rootfs })), layer };
}

/** The archive that `docker load` takes. */
export async function archiveOf({ config, layer }: TinyImage, tag: string): Promise<Buffer> {
  const pack = tar.pack();
  pack.entry(
    { name: 'manifest.json' },
    JSON.stringify([{ Config: 'config.json', RepoTags: [tag], Layers: ['layer.tar'] }]),
  );
  pack.entry({ name: 'config.json' }, config);
  pack.entry({ name: 'layer.tar' }, layer);
  pack.finalize();
  return await buffer(pack);
}

/** `sha256:…` of some bytes, as registries and engines write it. */
export function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';

/** A registry on loopback that hands out images by tag and by digest, as the engine asks for them. */
export class TinyRegistry {
  readonly #manifests = new Map<string, Buffer>();
  readonly #blobs = new Map<string, Buffer>();
  readonly #server = createServer((request, response) => this.#answer(request, response));

  /** @returns its address, which images' names begin with */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Offers an image under a tag, in place of what had it. @returns the digest by which it stays available */
  publish(name: string, tag: string, { config, layer }: TinyImage): string {
    const zipped = gzipSync(layer);
    const blob = (mediaType: string, bytes: Buffer): { mediaType: string; size: number; digest: string } => {
      this.#blobs.set(digestOf(bytes), bytes);
      return { mediaType, size: bytes.length, digest: digestOf(bytes) };
    };
    const manifest = {
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: blob('application/vnd.docker.container.image.v1+json', config),
      layers: [blob('application/vnd.docker.image.rootfs.diff.tar.gzip', zipped)],
    };
    const bytes = Buffer.from(JSON.stringify(manifest));
    for (const reference of [tag, digestOf(bytes)]) this.#manifests.set(`${name}/${reference}`, bytes);
    return digestOf(bytes);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer({ url = '', method }: IncomingMessage, response: ServerResponse): void {
    const [, name = '', kind = '', reference = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/.exec(url) ?? [];
    const found = kind === 'blobs' ? this.#blobs.get(reference) : this.#manifests.get(`${name}/${reference}`);
    if (url === '/v2/') response.writeHead(200).end();
    else if (found === undefined) response.writeHead(404).end();
    else {
      response.writeHead(200, {
        'content-type': kind === 'blobs' ? 'application/octet-stream' : MANIFEST,
        'content-length': found.length,
        'docker-content-digest': digestOf(found),
      });
      response.end(method === 'HEAD' ? undefined : found);
    }
  }
}
