import type { InstallerError } from '../errors.ts';
import type { Digest } from './digest.ts';
import type { Platform } from './manifest.ts';
import type { Reference } from './reference.ts';
import type { CallOptions, PutBlobResult } from './store.ts';

/** One image to be copied: what it is called in the source and in the target. */
export interface CopyItem {
  readonly from: Reference;
  /** Where it has a tag, that tag names the image afterwards; where it has only a digest, nothing but the digest does. */
  readonly to: Reference;
  /** In the place of those of the options: what there is may differ from image to image. */
  readonly platforms?: readonly Platform[] | undefined;
}

export interface CopyOptions extends CallOptions {
  /** Copy only the images of these platforms out of indexes; all where nothing is given. An index itself is never changed. */
  readonly platforms?: readonly Platform[] | undefined;
  /** Blobs on their way at once; 4 where nothing else is said. */
  readonly jobs?: number | undefined;
  /** Copy what refers to the images too (signatures, SBOMs). */
  readonly referrers?: boolean | undefined;
  /**
   * Take an index that a remote target has for whole without looking for the manifests in it. One request less for each
   * platform; right only for registries that refuse an index whose manifests are missing.
   */
  readonly trustIndexes?: boolean | undefined;
  /**
   * What to do where only some platforms are copied and the target refuses an index whose other manifests are missing:
   * `fail` (the default), or give the tag to the manifest of the only platform, or to an index of those that are copied (`narrow`),
   * unless the tag names something wider there already.
   */
  readonly whenIndexRefused?: 'fail' | 'narrow' | undefined;
  /** Tries of one blob without progress; 5 where nothing else is said. A try that brought bytes does not count. */
  readonly attempts?: number | undefined;
  /** First wait before another try, in milliseconds; it doubles. 250 where nothing else is said. */
  readonly baseDelayMs?: number | undefined;
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
}

/** Totals so far. `totalBytes` grows while manifests are still being read. */
export interface CopyProgress {
  readonly doneImages: number;
  readonly totalImages: number;
  /** Bytes of blobs that are in the target: sent, found there, mounted, or left by an earlier run. */
  readonly doneBytes: number;
  /** Bytes of all different blobs known so far. */
  readonly totalBytes: number;
  /** Of `doneBytes`, those of blobs that were mounted or found there: none of them went over the line. */
  readonly savedBytes: number;
}

/** How one image ended. */
export interface CopiedImage {
  readonly item: CopyItem;
  /**
   * `copied`: something was written for it. `present`: it was there already. `sparse`: copied, with an index whose other
   * platforms are missing. `narrowed`: the tag names the manifest of the only platform, or an index of those, as the target refused
   * the whole one.
   */
  readonly status: 'copied' | 'present' | 'sparse' | 'narrowed' | 'failed';
  /** What the tag names now; undefined where it failed. */
  readonly digest?: Digest | undefined;
  readonly error?: InstallerError | undefined;
}

/** Blobs of a copy by how they came to be in the target: sent, mounted from another repository of it, or found there. */
export type BlobCounts = Readonly<Record<PutBlobResult, number>>;

/** What a copy did. Nothing that failed is left out, and nothing is thrown for it. */
export interface CopyResult {
  readonly images: readonly CopiedImage[];
  readonly blobs: BlobCounts;
  /** The sizes of these blobs, whatever of them was sent in this run. */
  readonly blobBytes: BlobCounts;
  /** Bytes that were sent, those sent twice because of a broken connection included. */
  readonly sentBytes: number;
  /** Tries that failed and were repeated. */
  readonly retries: number;
}
