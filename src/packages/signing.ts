import * as openpgp from 'openpgp';

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

/** Opens a private key. The same key, date (milliseconds since the epoch) and content give the same signature. */
export async function openRepositoryKey(armoredPrivateKey: string, dateMs: number): Promise<RepositoryKey> {
  const signingKeys = await openpgp.readPrivateKey({ armoredKey: armoredPrivateKey });
  const options = {
    signingKeys,
    date: new Date(dateMs),
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
