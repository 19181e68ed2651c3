import { Readable } from 'node:stream';
import type { BlobDescriptor } from '../oci/manifest.ts';
import type { WebFiles } from '../oci/web-files.ts';
import type { ResolvedFile } from './resolve-files.ts';
import type { BlobSource } from './write-bundle.ts';

/** A file on a web server. */
export function fileSource({ item, url }: ResolvedFile, web: WebFiles): BlobSource {
  const { host, pathname } = new URL(url);
  const { digest, sizeBytes } = item;
  return {
    blob: { digest, sizeBytes },
    from: { registry: host, repository: pathname.replace(/^\/+/, '') },
    open: (startByte, { signal }) => web.open(url, startByte, sizeBytes, { signal }),
  };
}

/** Bytes that are at hand. */
export function memorySource(bytes: Buffer, { digest, sizeBytes }: BlobDescriptor, name: string): BlobSource {
  return {
    blob: { digest, sizeBytes },
    from: { registry: 'localhost', repository: name },
    open: (startByte) => Promise.resolve(Readable.from([bytes.subarray(startByte)])),
  };
}
