import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { makeBlob, type MadeBlob } from './made-blob.ts';

/** As much of a registry as a bundle needs: it makes what is pulled, and counts and drops what is pushed. */
export interface LargeRegistry {
  readonly host: string;
  /** Names of the images. */
  readonly images: readonly string[];
  readonly totalBytes: number;
  /** Bytes that came with pushes. */
  readonly takenBytes: () => number;
  close(): Promise<void>;
}

/** Serves images of one layer each, of these sizes, under these names. */
export async function serveLargeImages(layers: Readonly<Record<string, number>>): Promise<LargeRegistry> {
  const blobs = new Map<string, MadeBlob | Buffer>();
  const manifests = new Map<string, Buffer>();
  let takenBytes = 0;
  for (const [seed, [name, sizeBytes]] of Object.entries(layers).entries()) {
    const layer = makeBlob(seed, sizeBytes);
    const rootfs = { type: 'layers', diff_ids: [layer.digest] };
    const config = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', config: {}, rootfs }));
    const configDigest = digestOf(config);
    blobs.set(layer.digest, layer).set(configDigest, config);
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, digest: configDigest, size: config.length },
      layers: [{ mediaType: mediaTypes.ociLayerGzip, digest: layer.digest, size: sizeBytes }],
    };
    manifests.set(name, Buffer.from(JSON.stringify(manifest)));
  }
  const server = createServer((request, response) => {
    if (request.method === 'GET' || request.method === 'HEAD') give(request, response);
    else take(request, response);
  });
  const give = ({ method, url = '' }: IncomingMessage, response: ServerResponse): void => {
    if (url === '/v2/') {
      response.end();
      return;
    }
    const [, name = '', kind, key = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/.exec(url) ?? [];
    const found = kind === 'manifests' ? manifests.get(name) : blobs.get(key);
    if (found === undefined || name.startsWith('pushed/')) {
      response.writeHead(404).end();
      return;
    }
    const isBuffer = Buffer.isBuffer(found);
    const digest: Digest = isBuffer ? digestOf(found) : found.digest;
    response.writeHead(200, {
      'content-type': kind === 'manifests' ? mediaTypes.ociManifest : 'application/octet-stream',
      'content-length': isBuffer ? found.length : found.sizeBytes,
      'docker-content-digest': digest,
    });
    if (method === 'HEAD') response.end();
    else if (isBuffer) response.end(found);
    else found.stream(0).pipe(response);
  };
  const take = (request: IncomingMessage, response: ServerResponse): void => {
    request.on('data', (piece: Buffer) => (takenBytes += piece.length));
    request.on('end', () => {
      const isBegin = request.method === 'POST';
      response.writeHead(isBegin ? 202 : 201, { location: `${request.url?.split('?')[0] ?? ''}${isBegin ? '1' : ''}` });
      response.end();
    });
  };
  const host = `127.0.0.1:${await listen(server)}`;
  return {
    host,
    images: Object.keys(layers).map((name) => `${host}/${name}:v1`),
    totalBytes: Object.values(layers).reduce((sum, size) => sum + size, 0),
    takenBytes: () => takenBytes,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
