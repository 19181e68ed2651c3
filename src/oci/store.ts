import type { Readable } from 'node:stream';
import type { Digest } from './digest.ts';
import type { BlobDescriptor, Descriptor, StoredManifest } from './manifest.ts';
import type { Reference, RepositoryName } from './reference.ts';

/** What every call of a store may be given. */
export interface CallOptions {
  /** Aborting it ends the call, and a stream that came of it, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Which bytes of a blob: from `startByte` (default 0) up to, not including, `endByte` (default the end). */
export interface ByteRange {
  readonly startByte?: number | undefined;
  readonly endByte?: number | undefined;
}

export interface OpenBlobOptions extends CallOptions, ByteRange {}

/**
 * Images by name and blobs by digest, for reading: a directory (OCI image layout), a tar file, a bundle or remote registries.
 *
 * - Names are whole references, host included. A store of remote registries asks the host that the name says; a layout
 *   finds the name in its index, and its blobs are one space for all names.
 * - Absent is `undefined`, or OCI_NOT_FOUND from the calls that must return something. Not being able to tell is an error
 *   of another code (OCI_UNREACHABLE, OCI_UNAUTHORIZED, OCI_FORBIDDEN, …), never `undefined`.
 * - Each call is tried as often as the store finds right. A stream that breaks off is an error event of the stream; its
 *   consumer opens the rest of the blob by `startByte`.
 * - All calls may be made at once from many places.
 */
export interface OciStore {
  /** For people: `/srv/images`, `site.bundle.tar`, `registry.k8s.io`. */
  readonly description: string;
  /** Whether `statBlob` and `resolve` cost no round trip, so that nothing is gained from asking less. */
  readonly isLocal: boolean;

  /** The descriptor of what a reference names (by digest where it has one, else by tag), or undefined where it is absent. */
  resolve(reference: Reference, options?: CallOptions): Promise<Descriptor | undefined>;

  /**
   * A manifest or index, bytes as they were pushed; the digest has been verified. OCI_NOT_FOUND where it is absent,
   * OCI_WRONG_DIGEST where the bytes are others.
   */
  readManifest(reference: Reference, options?: CallOptions): Promise<StoredManifest>;

  /** The size of a blob in bytes, or undefined where it is absent. A blob that was written only in part is absent. */
  statBlob(name: RepositoryName, digest: Digest, options?: CallOptions): Promise<number | undefined>;

  /**
   * A blob, or a part of it, as a stream of its bytes as they are: **not verified**. Whoever keeps or uses them verifies, with
   * `verifying` or by handing them to `putBlob`. OCI_NOT_FOUND where the blob is absent. A stream that is not read to its
   * end must be destroyed.
   */
  openBlob(name: RepositoryName, blob: BlobDescriptor, options?: OpenBlobOptions): Promise<Readable>;

  /**
   * Takes note that the bytes that came last for a blob were others than its digest stands for. True where the store has another place to
   * ask, and asks there from now on (a registry behind its mirrors); stores of one place have no such call.
   */
  distrust?(name: RepositoryName, digest: Digest): boolean;

  /** The references in a store that knows all of its own (a layout, a bundle); undefined for remote registries. */
  listReferences?(options?: CallOptions): Promise<readonly Reference[]>;

  /** All tags of a repository, sorted; empty where the repository is absent. */
  listTags(name: RepositoryName, options?: CallOptions): Promise<readonly string[]>;

  /** Manifests whose `subject` is this digest: signatures, SBOMs. Empty where there is none. */
  listReferrers(
    name: RepositoryName,
    subject: Digest,
    options?: CallOptions & { readonly artifactType?: string | undefined },
  ): Promise<readonly Descriptor[]>;

  /** Frees files and connections. A store is not used afterwards. */
  close(): Promise<void>;
}

/** A store whose blobs lie in files of this machine. */
export interface LocalOciStore extends OciStore {
  /**
   * Fills the memory with bytes of a blob that is there, from a position on, and returns how many came; fewer than there is room for
   * only at the end of the blob, 0 behind it. Not verified, as with `openBlob`.
   */
  readInto(digest: Digest, memory: Buffer, position: number): Promise<number>;
}

/**
 * Opens the source of a blob from a byte on. Called by `putBlob`, because only the target knows how much of the blob it has
 * from an attempt before.
 */
export type OpenFrom = (startByte: number, options: CallOptions) => Promise<Readable>;

export interface PutBlobOptions extends CallOptions {
  /** Called with the number of bytes that were newly stored, as they come. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
  /** Called before the first byte is asked for, with the bytes that an attempt before had left: 0 where it left none. Called again where a registry has to be sent the blob in another way. */
  readonly onStart?: ((startByte: number) => void) | undefined;
  /** For errors: where the bytes come from. */
  readonly from?: string | undefined;
  /** A repository of the same store that has the blob, to be mounted from instead of sent again. */
  readonly mountFrom?: RepositoryName | undefined;
}

/** How a blob came to be in the target. */
export type PutBlobResult = 'written' | 'present' | 'mounted';

/** A store that images can be put into. */
export interface WritableOciStore extends OciStore {
  /**
   * Brings a blob into the store: one attempt, which goes on from the partial blob that an earlier one left. Length and
   * digest of the whole blob are verified before it can be seen. OCI_WRONG_DIGEST and OCI_WRONG_SIZE leave nothing behind;
   * after any other failure the partial blob stays for the next call. Two calls for the same blob at once are the
   * caller's mistake. With `mountFrom`, a mount is tried first and may come to nothing, in which case the blob is sent.
   */
  putBlob(name: RepositoryName, blob: BlobDescriptor, open: OpenFrom, options?: PutBlobOptions): Promise<PutBlobResult>;

  /**
   * Stores a manifest under its digest, and under the tag where the reference has one (which then names this manifest and no
   * other). What it refers to should be there before: registries refuse it otherwise, with OCI_MANIFEST_INCOMPLETE.
   */
  putManifest(reference: Reference, manifest: StoredManifest, options?: CallOptions): Promise<void>;
}
