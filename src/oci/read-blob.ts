import type { BlobDescriptor } from './manifest.ts';
import { isOtherBytes, notFound, tooLarge, wrongSize } from './oci-errors.ts';
import { formatRepositoryName, type RepositoryName } from './reference.ts';
import type { CallOptions, LocalOciStore, OciStore } from './store.ts';
import { checkBlob, readAll, verifying } from './verify.ts';

const maxSmallBlobBytes = 64 * 1024 * 1024;

/**
 * The whole of a small blob (a configuration, a chart), verified. OCI_WRONG_SIZE where it is larger than `maxBytes` (64 MiB
 * where nothing else is said), for it would be held in memory.
 */
export async function readBlob(
  store: OciStore,
  name: RepositoryName,
  blob: BlobDescriptor,
  options: CallOptions & { readonly maxBytes?: number | undefined } = {},
): Promise<Buffer> {
  const maxBytes = options.maxBytes ?? maxSmallBlobBytes;
  const repository = formatRepositoryName(name);
  const where = store.isLocal ? `${repository} in ${store.description}` : repository;
  if (blob.sizeBytes > maxBytes) throw tooLarge(`reading ${blob.digest}`, where, maxBytes);
  if (hasFiles(store)) return readFromFile(store, name, blob, where);
  for (;;) {
    const stream = await store.openBlob(name, blob, options);
    try {
      return await readAll(verifying(stream, blob, where), maxBytes, blob.digest, where);
    } catch (error) {
      if (!isOtherBytes(error) || store.distrust?.(name, blob.digest) !== true) throw error;
    }
  }
}

function hasFiles(store: OciStore): store is LocalOciStore {
  return 'readInto' in store;
}

/** In one read: a stream over a file opens, reads twice and closes, which for a hundred small blobs is most of the time. */
async function readFromFile(
  store: LocalOciStore,
  name: RepositoryName,
  blob: BlobDescriptor,
  where: string,
): Promise<Buffer> {
  const size = await store.statBlob(name, blob.digest);
  if (size === undefined) throw notFound(blob.digest, where);
  if (size > blob.sizeBytes) throw wrongSize(blob.digest, where, size, blob.sizeBytes);
  const memory = Buffer.allocUnsafe(blob.sizeBytes);
  const bytes = memory.subarray(0, await store.readInto(blob.digest, memory, 0));
  const check = checkBlob(blob, where);
  check.take(bytes);
  check.finish();
  return bytes;
}
