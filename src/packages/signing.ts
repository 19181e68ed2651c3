import * as openpgp from 'openpgp';
import { exitCodes, InstallerError } from '../errors.ts';

/** Signs the metadata of an offline repository. */
export interface RepositoryKey {
  /** Armored; apt's signed-by and dnf's gpgkey take it. */
  readonly publicKey: string;
  /** Clearsigned text (InRelease). */
  clearsign(text: string): Promise<string>;
  /** Armored detached signature (Release.gpg, repomd.xml.asc). */
  sign(content: string): Promise<string>;
}

/** Makes a key pair that every distribution's gpg knows: RSA, for old ones lack the elliptic curves. Both halves armored. */
export async function generateRepositoryKey(
  name: string,
  nowMs: number,
): Promise<{ readonly privateKey: string; readonly publicKey: string }> {
  return openpgp.generateKey({
    type: 'rsa',
    rsaBits: 3072,
    userIDs: [{ name }],
    date: new Date(nowMs),
    // The key itself signs; there is nothing to encrypt.
    subkeys: [],
    format: 'armored',
  });
}

/**
 * Opens a private key. The same key, date (milliseconds since the epoch) and content give the same signature; without a date the
 * signature is of the moment at which the key was made. REPOSITORY_KEY_INVALID (exit code 2) where it is none.
 */
export async function openRepositoryKey(armoredPrivateKey: string, dateMs?: number): Promise<RepositoryKey> {
  const signingKeys = await openpgp.readPrivateKey({ armoredKey: armoredPrivateKey }).catch((error: unknown) => {
    throw notAKey('it cannot be parsed', error);
  });
  if (!signingKeys.isDecrypted()) throw notAKey('it is protected by a passphrase');
  const options = {
    signingKeys,
    date: dateMs === undefined ? signingKeys.getCreationTime() : new Date(dateMs),
    config: { nonDeterministicSignaturesViaNotation: false },
  } as const;
  return {
    publicKey: signingKeys.toPublic().armor(),
    async clearsign(text) {
      return openpgp.sign({ ...options, message: await openpgp.createCleartextMessage({ text }) });
    },
    async sign(content) {
      const message = await openpgp.createMessage({ binary: new Uint8Array(Buffer.from(content)) });
      return String(await openpgp.sign({ ...options, message, detached: true, format: 'armored' }));
    },
  };
}

/** The text of the key is never quoted. */
function notAKey(why: string, cause?: unknown): InstallerError {
  return new InstallerError({
    code: 'REPOSITORY_KEY_INVALID',
    message: `the key for repositories is no OpenPGP private key of this program: ${why}`,
    remedy: 'make one with `installer bundle keygen --repository`',
    exitCode: exitCodes.usage,
    cause,
  });
}
