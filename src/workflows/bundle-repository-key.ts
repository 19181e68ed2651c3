import { readFile } from 'node:fs/promises';
import { bundleUsage } from '../bundle/bundle-errors.ts';
import { writeNewKey } from '../bundle/signature.ts';
import { messageOf } from '../errors.ts';

/**
 * Writes a new OpenPGP pair for indexes of package repositories: the private key (mode 0600) to `path`, the public one to `path.pub`,
 * both armored. A file that exists is BUNDLE_KEY_EXISTS.
 */
export async function writeRepositoryKeyPair(path: string): Promise<{ readonly publicPath: string }> {
  const { generateRepositoryKey } = await import('../packages/signing.ts');
  const { privateKey, publicKey } = await generateRepositoryKey(
    'package repositories of installer bundles',
    Date.now(),
  );
  const publicPath = `${path}.pub`;
  await writeNewKey(path, privateKey, 0o600);
  await writeNewKey(publicPath, publicKey, 0o644);
  return { publicPath };
}

/** The text of such a private key. BUNDLE_KEY_INVALID (exit code 2). */
export async function readRepositoryKey(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw bundleUsage(
      'KEY_INVALID',
      `${path} cannot be read: ${messageOf(error)}`,
      'make a key with `installer bundle keygen --repository`',
    );
  }
}
