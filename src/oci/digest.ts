import { createHash, type Hash } from 'node:crypto';

/** A digest as the OCI image specification writes it: `sha256:` and 64 hex digits, or `sha512:` and 128. */
export type Digest = `sha256:${string}` | `sha512:${string}`;

export type DigestAlgorithm = 'sha256' | 'sha512';

const digestPattern = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** Whether the text is a digest of an algorithm that this program can verify. */
export function isDigest(text: string): text is Digest {
  return digestPattern.test(text);
}

/** The two halves of a digest; the second is the name of the blob's file in an image layout. */
export function splitDigest(digest: Digest): { algorithm: DigestAlgorithm; hex: string } {
  const colon = digest.indexOf(':');
  return { algorithm: digest.slice(0, colon) as DigestAlgorithm, hex: digest.slice(colon + 1) };
}

/** The digest of bytes that are all in memory; SHA-256 where nothing else is asked for. */
export function digestOf(bytes: Uint8Array | string, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return digestFrom(algorithm, createHash(algorithm).update(bytes));
}

/** A hash that computes what `digest` is compared with. */
export function hashFor(digest: Digest): Hash {
  return createHash(splitDigest(digest).algorithm);
}

/** The digest a finished hash stands for. The hash cannot be used afterwards. */
export function digestFrom(algorithm: DigestAlgorithm, hash: Hash): Digest {
  return `${algorithm}:${hash.digest('hex')}`;
}
