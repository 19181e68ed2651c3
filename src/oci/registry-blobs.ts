import type { Digest } from './digest.ts';
import type { Scopes } from './challenge.ts';
import { notARegistry } from './http-errors.ts';
import type { BlobDescriptor } from './manifest.ts';
import { bareMediaType } from './media-types.ts';
import { notFound } from './oci-errors.ts';
import { formatReference, formatRepositoryName, withDigest, type RepositoryName } from './reference.ts';
import type { Places } from './registry-places.ts';
import type { OciStore, OpenBlobOptions, OpenFrom, PutBlobOptions, PutBlobResult, WritableOciStore } from './store.ts';
import {
  findOffset,
  isHopeless,
  isTooLarge,
  sendBlob,
  smallerChunk,
  UploadMoved,
  type UploadContext,
  type UploadSession,
} from './upload.ts';

/** Redirects of one blob that are followed. */
const maxMoves = 5;

/** What a store of remote registries does with blobs. */
export type BlobCalls = Pick<WritableOciStore, 'statBlob' | 'openBlob' | 'putBlob'> &
  Required<Pick<OciStore, 'distrust'>>;

export function createBlobCalls(places: Places, chunkBytes: number | undefined): BlobCalls {
  const { ask, askForBlob, origin } = places;
  /** Uploads that broke off, by repository and digest; they are gone on with while this process lives. */
  const sessions = new Map<string, UploadSession>();
  /** By registry: bytes of one request, where a proxy in front of it refused more. */
  const limits = new Map<string, number>();

  const statBlob = (name: RepositoryName, digest: Digest, signal?: AbortSignal): Promise<number | undefined> =>
    ask(name, async (place, path, scopes) => {
      const answer = await place.endpoint.request({
        method: 'HEAD',
        target: `/v2/${path}/blobs/${digest}`,
        scopes,
        what: `looking for ${formatReference(withDigest(name, digest))}`,
        signal,
        accept: [200, 404],
      });
      answer.discard();
      if (answer.status === 404) return undefined;
      return Number(answer.headers.get('content-length') ?? Number.NaN);
    });

  const openBlob = (
    name: RepositoryName,
    blob: BlobDescriptor,
    { startByte = 0, endByte = blob.sizeBytes, signal }: OpenBlobOptions,
  ): ReturnType<WritableOciStore['openBlob']> =>
    askForBlob(name, blob.digest, async (place, path, scopes) => {
      const isPart = startByte > 0 || endByte < blob.sizeBytes;
      const what = `reading ${formatReference(withDigest(name, blob.digest))}`;
      const answer = await place.endpoint.request({
        method: 'GET',
        target: `/v2/${path}/blobs/${blob.digest}`,
        headers: isPart ? { range: `bytes=${startByte}-${endByte - 1}` } : {},
        scopes,
        what,
        signal,
        accept: [200, 206, 404],
      });
      if (answer.status === 404) {
        answer.discard();
        throw notFound(
          blob.digest,
          formatRepositoryName(name),
          'the registry has the manifest but not this blob: push the image again',
        );
      }
      if (bareMediaType(answer.headers.get('content-type') ?? '') === 'text/html') {
        answer.destroy();
        throw notARegistry(place.endpoint.doing(what), 'text/html');
      }
      const skipBytes = isPart && answer.status === 200 ? startByte : 0;
      return answer.receive({ skipBytes, expectedBytes: endByte - startByte });
    });

  const putBlob = async (
    name: RepositoryName,
    blob: BlobDescriptor,
    openFrom: OpenFrom,
    putOptions: PutBlobOptions,
  ): Promise<PutBlobResult> => {
    const { endpoint } = origin(name.registry);
    const { signal, mountFrom } = putOptions;
    const key = `${formatRepositoryName(name)}@${blob.digest}`;
    const scopes: Scopes = { [name.repository]: ['pull', 'push'] };
    const what = `writing ${formatReference(withDigest(name, blob.digest))}`;
    const limit = (): number | undefined => limits.get(name.registry) ?? chunkBytes;
    const context: UploadContext = { endpoint, scopes, what, blob, chunkBytes: limit };
    let session = sessions.get(key);
    if (session !== undefined && !(await findOffset(context, session, { signal }))) session = undefined;
    if (session === undefined) {
      sessions.delete(key);
      // A mount also tells whether the blob is there, so it saves the look.
      if (mountFrom === undefined && (await statBlob(name, blob.digest, signal)) !== undefined) return 'present';
    }
    for (let moves = 0; ;) {
      if (session === undefined) {
        const answer = await beginUpload(context, name, mountFrom, signal);
        if (answer === 'mounted') return 'mounted';
        session = answer;
        sessions.set(key, session);
      }
      const { offset } = session;
      try {
        await sendBlob(context, session, openFrom, putOptions);
        sessions.delete(key);
        return 'written';
      } catch (error) {
        if (error instanceof UploadMoved && moves < maxMoves) {
          moves += 1;
          session.movedTo = error.location;
          continue;
        }
        if (!isHopeless(error)) throw error;
        sessions.delete(key);
        await cancelUpload(context, session);
        if (!isTooLarge(error) || session.offset > offset || !mayShrink(session, name.registry)) throw error;
        session = undefined;
      }
    }
  };

  /** Whether requests of that registry are smaller from now on: one of this size was refused as too large. */
  const mayShrink = (session: UploadSession, registry: string): boolean => {
    // Somebody else may have found out meanwhile.
    if ((limits.get(registry) ?? Infinity) < session.triedBytes) return true;
    const smaller = smallerChunk(session);
    if (smaller !== undefined) limits.set(registry, smaller);
    return smaller !== undefined;
  };

  return {
    statBlob: (name, digest, { signal } = {}) => statBlob(name, digest, signal),
    openBlob: (name, blob, openOptions = {}) => openBlob(name, blob, openOptions),
    distrust: places.distrust,
    putBlob: (name, blob, openFrom, putOptions = {}) => putBlob(name, blob, openFrom, putOptions),
  };
}

async function beginUpload(
  { endpoint, scopes, what, blob }: UploadContext,
  name: RepositoryName,
  mountFrom: RepositoryName | undefined,
  signal: AbortSignal | undefined,
): Promise<UploadSession | 'mounted'> {
  const query = mountFrom ? `?mount=${blob.digest}&from=${encodeURIComponent(mountFrom.repository)}` : '';
  const answer = await endpoint.request({
    method: 'POST',
    target: `/v2/${name.repository}/blobs/uploads/${query}`,
    headers: { 'content-length': '0' },
    scopes: mountFrom ? { [mountFrom.repository]: ['pull'], ...scopes } : scopes,
    what,
    signal,
    accept: mountFrom ? [201, 202] : [202],
  });
  answer.discard();
  if (answer.status === 201) return 'mounted';
  const location = answer.headers.get('location');
  if (location === null) throw notARegistry(endpoint.doing(what), 'an answer without an address for the upload');
  const minimum = Number(answer.headers.get('oci-chunk-min-length') ?? 0);
  const minChunkBytes = Number.isSafeInteger(minimum) && minimum > 0 ? minimum : 0;
  return { location: new URL(location, answer.url).href, offset: 0, minChunkBytes, triedBytes: 0 };
}

async function cancelUpload({ endpoint, scopes, what }: UploadContext, { location }: UploadSession): Promise<void> {
  const request = {
    method: 'DELETE',
    target: location,
    scopes,
    what,
    accept: [200, 202, 204, 404],
    attempts: 1,
  } as const;
  // It is gone by itself after a while; nothing depends on it.
  await endpoint.request(request).then(
    (answer) => answer.discard(),
    () => undefined,
  );
}
