import type { ParsedKey } from 'ssh2';

/** A private key, ready to sign. */
export interface LoadedKey {
  readonly file: string;
  /** `SHA256:…` of the public half. */
  readonly fingerprint: string;
  readonly key: ParsedKey;
  /** What is odd about the file, for the user. */
  readonly warnings: readonly string[];
}

/** Loads private keys, each file and passphrase once: decrypting one takes most of a second. */
export type KeyLoader = (file: string, passphrase?: string) => Promise<LoadedKey>;
