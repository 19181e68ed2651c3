import ssh2 from 'ssh2';

/** A key pair in the formats that files of OpenSSH hold. */
export interface TestKey {
  readonly privateKey: string;
  /** `ssh-ed25519 AAAA…`, one line. */
  readonly publicKey: string;
  /** The public key in wire format. */
  readonly blob: Buffer;
}

/** Makes a new key; a passphrase encrypts the private half. */
export function generateKey(type: 'ed25519' | 'ecdsa' = 'ed25519', passphrase?: string): TestKey {
  for (;;) {
    const pair = generatePair(type, passphrase);
    // ssh2 1.17 writes one of 256 ed25519 keys in a form that neither OpenSSH nor itself can read.
    if (ssh2.utils.parseKey(pair.private, passphrase) instanceof Error) continue;
    const publicKey = pair.public.trim();
    return { privateKey: pair.private, publicKey, blob: Buffer.from(publicKey.split(' ')[1] ?? '', 'base64') };
  }
}

function generatePair(type: 'ed25519' | 'ecdsa', passphrase: string | undefined): { private: string; public: string } {
  // Few rounds: the tests need a key that is encrypted, not one that is hard to guess.
  const encryption = { passphrase: passphrase ?? '', cipher: 'aes256-ctr', rounds: 1 };
  const bits = { bits: 256 } as const;
  const { generateKeyPairSync } = ssh2.utils;
  if (type === 'ecdsa')
    return generateKeyPairSync('ecdsa', passphrase === undefined ? bits : { ...bits, ...encryption });
  return generateKeyPairSync('ed25519', passphrase === undefined ? {} : encryption);
}
