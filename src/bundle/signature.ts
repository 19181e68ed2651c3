import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { messageOf } from '../errors.ts';
import { bundleError, bundleUsage } from './bundle-errors.ts';

/** When a signature is asked for. `always` where a key is given and nothing else is said. */
export const signaturePolicies = ['always', 'if-present', 'never'] as const;
export type SignaturePolicy = (typeof signaturePolicies)[number];

/** How a signature was found. */
export type SignatureStatus =
  | { readonly status: 'valid'; readonly keyId: string }
  /** There is one, and no key was given to try it with. */
  | { readonly status: 'not-checked'; readonly keyId: string }
  | { readonly status: 'none' };

/**
 * Writes a new ed25519 pair: the private key (PKCS#8 PEM, mode 0600) to `path`, the public one (SPKI PEM) to `path.pub`.
 * A file that exists is BUNDLE_KEY_EXISTS. Returns the id of the key.
 */
export async function writeKeyPair(path: string): Promise<{ readonly keyId: string; readonly publicPath: string }> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  await writeNewKey(path, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 0o600);
  const publicPath = `${path}.pub`;
  await writeNewKey(publicPath, publicKey.export({ type: 'spki', format: 'pem' }).toString(), 0o644);
  return { keyId: keyIdOf(publicKey), publicPath };
}

/** Signs the bytes of `bundle.json`: the text of `bundle.json.sig`. The same key and bytes give the same text. */
export function signManifest(manifestBytes: Uint8Array, key: KeyObject): string {
  const signature = sign(null, manifestBytes, key).toString('base64');
  return `${JSON.stringify({ algorithm: 'ed25519', keyId: keyIdOf(createPublicKey(key)), signature })}\n`;
}

/** Reads a private key of `writeKeyPair`, or any ed25519 key in PEM. BUNDLE_KEY_INVALID (exit code 2). */
export async function readPrivateKey(path: string): Promise<KeyObject> {
  return readKey(path, (text) => createPrivateKey(text), 'a private ed25519 key');
}

/** Reads a public key; the private one will do too. BUNDLE_KEY_INVALID (exit code 2). */
export async function readPublicKey(path: string): Promise<KeyObject> {
  return readKey(path, (text) => createPublicKey(text), 'a public ed25519 key');
}

/**
 * Judges the signature of a manifest. BUNDLE_SIGNATURE_MISSING, BUNDLE_SIGNATURE_KEY (signed with another key) or
 * BUNDLE_SIGNATURE_WRONG (the manifest was changed) where the policy does not let it pass.
 */
export function checkSignature(
  path: string,
  manifestBytes: Uint8Array,
  signature: string | undefined,
  key: KeyObject | undefined,
  policy: SignaturePolicy = key === undefined ? 'if-present' : 'always',
): SignatureStatus {
  if (key !== undefined && policy !== 'always') {
    throw bundleUsage(
      'SIGNATURE_POLICY',
      `with a key the signature is always verified`,
      `leave out --signature ${policy}`,
    );
  }
  if (key === undefined && policy === 'always') {
    throw bundleUsage(
      'SIGNATURE_POLICY',
      'a signature can be verified only with a key',
      'give the public key with --key',
    );
  }
  if (signature === undefined) {
    if (policy !== 'always') return { status: 'none' };
    throw bundleError(
      'SIGNATURE_MISSING',
      `${path} is not signed`,
      'have it made with --sign, or get it from whoever signs',
    );
  }
  if (policy === 'never') return { status: 'none' };
  const parsed = parseSignature(path, signature);
  if (key === undefined) return { status: 'not-checked', keyId: parsed.keyId };
  if (parsed.keyId !== keyIdOf(key)) {
    throw bundleError(
      'SIGNATURE_KEY',
      `${path} was signed with another key: ${parsed.keyId}, not ${keyIdOf(key)}`,
      'give the public key of whoever made the bundle, or do not use the bundle',
    );
  }
  if (!verify(null, manifestBytes, key, Buffer.from(parsed.signature, 'base64'))) {
    throw bundleError(
      'SIGNATURE_WRONG',
      `the signature of ${path} does not fit its contents`,
      'do not use it: it was changed after it was signed',
    );
  }
  return { status: 'valid', keyId: parsed.keyId };
}

/** SHA-256 over the public key (SPKI, DER), in hex. */
export function keyIdOf(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

function parseSignature(path: string, text: string): { readonly keyId: string; readonly signature: string } {
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    const { algorithm, keyId, signature } = value;
    if (algorithm === 'ed25519' && typeof keyId === 'string' && typeof signature === 'string') {
      return { keyId, signature };
    }
  } catch {
    // Said below.
  }
  throw bundleError('SIGNATURE_WRONG', `the signature of ${path} cannot be read`, 'do not use it: it was changed');
}

async function readKey(path: string, parse: (text: string) => KeyObject, what: string): Promise<KeyObject> {
  let reason = 'it is of another type';
  try {
    const key = parse(await readFile(path, 'utf8'));
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (error) {
    // Only what the system says: the text of the file must not be quoted.
    const { code } = error as NodeJS.ErrnoException;
    reason = code === 'ENOENT' || code === 'EACCES' ? messageOf(error) : 'it cannot be parsed';
  }
  throw bundleUsage('KEY_INVALID', `${path} is not ${what}: ${reason}`, 'make one with `installer bundle keygen`');
}

/** A file of a key that was not there before. BUNDLE_KEY_EXISTS (exit code 2). */
export async function writeNewKey(path: string, text: string, mode: number): Promise<void> {
  try {
    const file = await open(path, 'wx', mode);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw bundleUsage('KEY_EXISTS', `${path} exists`, 'give another name; a key that was used must not be lost');
  }
}
