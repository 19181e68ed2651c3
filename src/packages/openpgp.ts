import * as openpgp from 'openpgp';
import { InstallerError } from '../errors.ts';

export type PublicKeys = readonly openpgp.PublicKey[];

/** Reads OpenPGP public keys, armored or binary. Throws PACKAGE_KEY_INVALID on what is none. */
export async function readPublicKeys(keys: readonly (string | Uint8Array)[]): Promise<PublicKeys> {
  const read = await Promise.all(
    keys.map(async (key) => {
      try {
        const text = typeof key === 'string' ? key : armorOf(key);
        if (text === undefined) return await openpgp.readKeys({ binaryKeys: key as Uint8Array });
        // A file such as distributions ship may hold several armored blocks in a row.
        const blocks = text.match(/-----BEGIN PGP PUBLIC KEY BLOCK-----[^]*?-----END PGP PUBLIC KEY BLOCK-----/g);
        const sets = await Promise.all((blocks ?? [text]).map((block) => openpgp.readKeys({ armoredKeys: block })));
        return sets.flat();
      } catch (error) {
        throw new InstallerError({
          code: 'PACKAGE_KEY_INVALID',
          message: `a key of a package repository is no OpenPGP public key: ${reasonOf(error)}`,
          remedy: 'give the key that the distribution publishes, armored or binary',
          cause: error,
        });
      }
    }),
  );
  return read.flat().map((key) => key.toPublic());
}

/** What a clearsigned message says, once one of the keys has signed it; lines end with \n. Throws REPOSITORY_SIGNATURE_BAD. */
export async function verifyClearsigned(text: string, keys: PublicKeys, at: SignedPlace): Promise<string> {
  const { data } = await checked(at, async () => {
    const message = await openpgp.readCleartextMessage({ cleartextMessage: text });
    return openpgp.verify({ message, verificationKeys: [...keys], date: new Date(at.nowMs) });
  });
  return data.replaceAll('\r\n', '\n');
}

/** Returns when one of the keys has signed exactly these bytes. Throws REPOSITORY_SIGNATURE_BAD. */
export async function verifyDetached(
  content: Uint8Array,
  armoredSignature: string,
  keys: PublicKeys,
  at: SignedPlace,
): Promise<void> {
  await checked(at, async () => {
    const message = await openpgp.createMessage({ binary: content });
    const signature = await openpgp.readSignature({ armoredSignature });
    return openpgp.verify({
      message,
      signature,
      verificationKeys: [...keys],
      date: new Date(at.nowMs),
      format: 'binary' as const,
    });
  });
}

/** Text between the lines of a clearsigned message, unverified. */
export async function readClearsigned(text: string): Promise<string> {
  const message = await openpgp.readCleartextMessage({ cleartextMessage: text });
  return message.getText().replaceAll('\r\n', '\n');
}

export interface SignedPlace {
  /** For errors. */
  readonly url: string;
  /** Milliseconds since the epoch, at which signature and key have to hold. */
  readonly nowMs: number;
}

/** An index without a signature where one is required. */
export function unsigned(url: string): InstallerError {
  return new InstallerError({
    code: 'REPOSITORY_UNSIGNED',
    message: `${url} carries no signature, and its repository requires one`,
    remedy: 'use a mirror that has the signatures, or allow this repository without them',
  });
}

interface Signed {
  readonly keyID: { toHex(): string };
  readonly verified: Promise<unknown>;
}

/** One good signature is enough: distributions sign with their old key and the new one. */
async function checked<T extends { readonly signatures: readonly Signed[] }>(
  at: SignedPlace,
  verify: () => Promise<T>,
): Promise<T> {
  const reasons: string[] = [];
  try {
    const result = await verify();
    for (const { keyID, verified } of result.signatures) {
      const reason = await verified.then(
        () => undefined,
        (error: unknown) => `${keyID.toHex()}: ${reasonOf(error)}`,
      );
      if (reason === undefined) return result;
      reasons.push(reason);
    }
    if (result.signatures.length === 0) reasons.push('it carries no signature');
  } catch (error) {
    reasons.push(reasonOf(error));
  }
  throw new InstallerError({
    code: 'REPOSITORY_SIGNATURE_BAD',
    message: `${at.url} is not signed by a key of its repository`,
    remedy:
      "give the distribution's current keys; where they are, the file was changed on its way and nothing of it may be used",
    details: reasons,
  });
}

function armorOf(key: Uint8Array): string | undefined {
  const text = Buffer.from(key).toString('latin1');
  return text.includes('-----BEGIN PGP') ? text : undefined;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
