import { isBad } from './blob-status.ts';
import { openBundle } from './bundle.ts';
import { bundleError } from './bundle-errors.ts';
import type { BundleManifest } from './manifest.ts';
import { verifyBundle, type VerifyResult } from './verify.ts';
import {
  writeBundle,
  type BlobSource,
  type WriteOptions,
  type WriteProgress,
  type WriteResult,
} from './write-bundle.ts';

export interface WriteVerifiedOptions extends WriteOptions {
  /** Told while the file is read. */
  readonly onVerify?: ((progress: WriteProgress) => void) | undefined;
  /** Told what was found, before anything of it is mended. */
  readonly onDamaged?: ((found: VerifyResult) => void) | undefined;
}

export interface VerifiedResult extends WriteResult {
  /** Blobs that were damaged, and are not any more. */
  readonly mendedBlobs: number;
}

/**
 * Writes a bundle, then reads every byte of what is there, whoever wrote it. What is damaged comes from its source again, all else from
 * the file itself; until that is done the damaged one keeps its name. BUNDLE_STILL_DAMAGED where a disk gives back other bytes than it got.
 */
export async function writeVerified(
  draft: Omit<BundleManifest, 'index'>,
  sources: readonly BlobSource[],
  options: WriteVerifiedOptions,
): Promise<VerifiedResult> {
  const first = await writeBundle(draft, sources, options);
  const damage = await damageOf(options);
  if (damage === undefined) return { ...first, mendedBlobs: 0 };
  options.onDamaged?.(damage);
  const second = await writeBundle(draft, sources, { ...options, anew: true });
  const left = await damageOf(options);
  if (left !== undefined) {
    throw bundleError(
      'STILL_DAMAGED',
      `${options.path} was written anew, and is damaged again`,
      'look at the disk and the memory of this machine, or write it to another disk',
      { details: describeDamage(left) },
    );
  }
  const mendedBlobs = damage.blobs.filter(isBad).length;
  return { ...second, fetchedBytes: first.fetchedBytes + second.fetchedBytes, mendedBlobs };
}

/** One line for each blob that is not what it should be, and for what else is wrong. */
export function describeDamage({ blobs, problems }: VerifyResult): string[] {
  const lines = blobs.filter(isBad).map(({ status, digest, reason, items }) => {
    return `${status} ${digest} (${items.join(', ')})${reason === undefined ? '' : `: ${reason}`}`;
  });
  return [...lines, ...problems];
}

/** Undefined where nothing is wrong. */
async function damageOf({ path, signal, onVerify }: WriteVerifiedOptions): Promise<VerifyResult | undefined> {
  const bundle = await openBundle(path);
  try {
    const found = await verifyBundle(bundle, { signal, onProgress: onVerify });
    return found.isWhole ? undefined : found;
  } finally {
    await bundle.close();
  }
}
