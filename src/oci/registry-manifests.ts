import { isDigest, type Digest } from './digest.ts';
import type { Scopes } from './challenge.ts';
import { looksLikeHtml, notARegistry } from './http-errors.ts';
import { referrerOf } from './layout-reader.ts';
import { checkManifest, maxManifestBytes, parseManifest, toStoredManifest } from './manifest.ts';
import type { Descriptor, StoredManifest } from './manifest.ts';
import { bareMediaType, manifestAccept, mediaTypes } from './media-types.ts';
import { isNotFound, notFound, OciError } from './oci-errors.ts';
import { formatReference, withDigest, type Reference, type RepositoryName } from './reference.ts';
import type { Place, Places } from './registry-places.ts';
import type { WritableOciStore } from './store.ts';

/** What a store of remote registries does with manifests. */
export type ManifestCalls = Required<
  Pick<WritableOciStore, 'resolve' | 'readManifest' | 'putManifest' | 'listReferrers'>
>;

export function createManifestCalls({ ask, origin }: Places): ManifestCalls {
  const resolve = (reference: Reference, signal?: AbortSignal): Promise<Descriptor | undefined> =>
    ask(reference, async (place, path, scopes) => {
      const what = `looking for ${formatReference(reference)}`;
      const target = `/v2/${path}/manifests/${reference.digest ?? reference.tag ?? 'latest'}`;
      const headers = { accept: manifestAccept };
      const answer = await place.endpoint.request({
        method: 'HEAD',
        target,
        headers,
        scopes,
        what,
        signal,
        accept: [200, 404, 405],
      });
      answer.discard();
      if (answer.status === 404) return undefined;
      const digest = reference.digest ?? answer.headers.get('docker-content-digest') ?? '';
      const size = Number(answer.headers.get('content-length') ?? Number.NaN);
      const mediaType = bareMediaType(answer.headers.get('content-type') ?? '');
      if (answer.status === 200 && mediaType === 'text/html') throw notARegistry(place.endpoint.doing(what), mediaType);
      if (answer.status === 200 && isDigest(digest) && Number.isSafeInteger(size) && size > 0) {
        return { mediaType, digest, sizeBytes: size };
      }
      // A registry that says less than it should; the manifest itself says everything.
      return (await fetchManifest(place, path, scopes, reference, signal)).descriptor;
    });

  const putManifest = async (reference: Reference, manifest: StoredManifest, signal?: AbortSignal): Promise<void> => {
    const { endpoint } = origin(reference.registry);
    const { digest, mediaType } = manifest.descriptor;
    const name = formatReference(reference);
    const answer = await endpoint.request({
      method: 'PUT',
      target: `/v2/${reference.repository}/manifests/${reference.tag ?? digest}`,
      headers: { 'content-type': mediaType, 'content-length': `${manifest.bytes.length}` },
      body: manifest.bytes,
      scopes: { [reference.repository]: ['pull', 'push'] },
      what: `writing ${name}`,
      signal,
      accept: [201],
    });
    answer.discard();
    const said = answer.headers.get('docker-content-digest');
    if (said !== null && said !== digest) {
      throw new OciError({
        code: 'OCI_WRONG_DIGEST',
        message: `${endpoint.registry} keeps ${name} as ${said}, not as ${digest}`,
        remedy: 'the registry changes manifests: use one that keeps them as they are',
      });
    }
    const parsed = parseManifest(manifest, name);
    if (parsed.subject !== undefined && answer.headers.get('oci-subject') === null) {
      await addToFallback(reference, parsed.subject.digest, referrerOf(manifest.descriptor, parsed), signal);
    }
  };

  /** The list of referrers that clients keep, under a tag, for registries that keep none (distribution specification, "Unavailable Referrers API"). */
  const fallbackReference = ({ registry, repository }: RepositoryName, subject: Digest): Reference => ({
    registry,
    repository,
    tag: subject.replace(':', '-'),
  });

  const readFallback = async (
    name: RepositoryName,
    subject: Digest,
    signal?: AbortSignal,
  ): Promise<readonly Descriptor[]> => {
    const reference = fallbackReference(name, subject);
    try {
      const manifest = await ask(name, (place, path, scopes) => fetchManifest(place, path, scopes, reference, signal));
      const parsed = parseManifest(manifest, formatReference(reference));
      return parsed.kind === 'index' ? parsed.manifests : [];
    } catch (error) {
      if (isNotFound(error)) return [];
      throw error;
    }
  };

  const addToFallback = async (
    name: RepositoryName,
    subject: Digest,
    entry: Descriptor,
    signal?: AbortSignal,
  ): Promise<void> => {
    const known = await readFallback(name, subject, signal);
    if (known.some(({ digest }) => digest === entry.digest)) return;
    const manifests = [...known, entry].map(({ sizeBytes, ...item }) => ({ ...item, size: sizeBytes }));
    const text = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
    await putManifest(
      fallbackReference(name, subject),
      toStoredManifest(Buffer.from(text), mediaTypes.ociIndex),
      signal,
    );
  };

  const listReferrers = (
    name: RepositoryName,
    subject: Digest,
    signal?: AbortSignal,
    artifactType?: string,
  ): Promise<readonly Descriptor[]> =>
    ask(name, async (place, path, scopes) => {
      const what = `listing what refers to ${formatReference(withDigest(name, subject))}`;
      const answer = await place.endpoint.request({
        method: 'GET',
        target: `/v2/${path}/referrers/${subject}${artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`}`,
        headers: { accept: mediaTypes.ociIndex },
        maxBytes: maxManifestBytes,
        scopes,
        what,
        signal,
        accept: [200, 400, 404, 405],
      });
      const isIndexAnswer =
        answer.status === 200 && bareMediaType(answer.headers.get('content-type') ?? '') === mediaTypes.ociIndex;
      let found: readonly Descriptor[];
      if (isIndexAnswer) {
        const bytes = await answer.bytes();
        const parsed = parseManifest(toStoredManifest(bytes, mediaTypes.ociIndex), what);
        found = parsed.kind === 'index' ? parsed.manifests : [];
      } else {
        answer.discard();
        found = await readFallback(name, subject, signal);
      }
      return artifactType === undefined ? found : found.filter((item) => item.artifactType === artifactType);
    });

  return {
    resolve: (reference, { signal } = {}) => resolve(reference, signal),
    readManifest: (reference, { signal } = {}) =>
      ask(reference, (place, path, scopes) => fetchManifest(place, path, scopes, reference, signal)),
    putManifest: (reference, manifest, { signal } = {}) => putManifest(reference, manifest, signal),
    listReferrers: (name, subject, { signal, artifactType } = {}) => listReferrers(name, subject, signal, artifactType),
  };
}

async function fetchManifest(
  place: Place,
  path: string,
  scopes: Scopes,
  reference: Reference,
  signal?: AbortSignal,
): Promise<StoredManifest> {
  const name = formatReference(reference);
  const what = `reading ${name}`;
  const answer = await place.endpoint.request({
    method: 'GET',
    target: `/v2/${path}/manifests/${reference.digest ?? reference.tag ?? 'latest'}`,
    headers: { accept: manifestAccept },
    maxBytes: maxManifestBytes,
    scopes,
    what,
    signal,
    accept: [200, 404],
  });
  if (answer.status === 404) {
    answer.discard();
    throw notFound(name, place.endpoint.doing(what).registry);
  }
  const bytes = await answer.bytes();
  const contentType = bareMediaType(answer.headers.get('content-type') ?? '');
  if (looksLikeHtml({ contentType, text: bytes.subarray(0, 64).toString() })) {
    throw notARegistry(place.endpoint.doing(what), contentType);
  }
  const said = answer.headers.get('docker-content-digest');
  const digest = reference.digest ?? (said !== null && isDigest(said) ? said : undefined);
  if (digest !== undefined) checkManifest(bytes, digest, `${name} at ${place.endpoint.registry}`);
  const manifest = toStoredManifest(bytes, contentType);
  const { mediaType } = parseManifest(manifest, name);
  return { bytes, descriptor: { mediaType, digest: digest ?? manifest.descriptor.digest, sizeBytes: bytes.length } };
}
