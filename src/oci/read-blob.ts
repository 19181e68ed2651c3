import type { BlobDescriptor } from './manifest.ts';
import { isOtherBytes, tooLarge } from './oci-errors.ts';
import { formatRepositoryName, type RepositoryName } from './reference.ts';
import type { CallOptions, OciStore } from './store.ts';
import { readAll, verifying } from './verify.ts';

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
  for (;;) {
    const stream = await store.openBlob(name, blob, options);
    try {
      return await readAll(verifying(stream, blob, where), maxBytes, blob.digest, where);
    } catch (error) {
      if (!isOtherBytes(error) || store.distrust?.(name, blob.digest) !== true) throw error;
    }
  }
}
