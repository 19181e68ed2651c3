import { createPrivateKey } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import type { ParsedKey } from 'ssh2';
import { InstallerError, messageOf } from '../errors.ts';
import { fingerprint } from './known-hosts.ts';
import type { KeyLoader, LoadedKey } from './loaded-key.ts';
import { errnoOf } from './ssh-errors.ts';

/** Tried where the target names no way to log in, in the order of ssh(1). */
const defaultKeyNames = ['id_ed25519', 'id_ecdsa', 'id_rsa'] as const;

/** Makes a loader that remembers; it lives as long as the connections that share it. */
export function createKeyLoader(): KeyLoader {
  const loaded = new Map<string, Promise<LoadedKey>>();
  return (file, passphrase) => {
    const id = JSON.stringify([file, passphrase]);
    const known = loaded.get(id) ?? loadKey(file, passphrase);
    loaded.set(id, known);
    return known;
  };
}

/** Reads and decrypts a private key (OpenSSH or PEM). Fails with SSH_KEY_FILE; the message says which of the many ways it was. */
async function loadKey(file: string, passphrase: string | undefined): Promise<LoadedKey> {
  const { text, mode } = await readKeyFile(file);
  const key = parseKey(file, text, passphrase);
  const warnings =
    (mode & 0o077) === 0
      ? []
      : [`${file} can be read by others (mode ${(mode & 0o777).toString(8)}); run: chmod 600 ${file}`];
  return { file, key, fingerprint: fingerprint(key.getPublicSSH()), warnings };
}

/** The keys in `folder` that can be used without a passphrase or with the one given; others are named in `skipped`. */
export async function loadDefaultKeys(
  load: KeyLoader,
  folder: string = join(homedir(), '.ssh'),
  passphrase?: string,
): Promise<{ keys: LoadedKey[]; skipped: string[] }> {
  const keys: LoadedKey[] = [];
  const skipped: string[] = [];
  for (const name of defaultKeyNames) {
    const file = join(folder, name);
    if ((await stat(file).catch(() => undefined)) === undefined) continue;
    try {
      keys.push(await load(file, passphrase));
    } catch (error) {
      skipped.push(messageOf(error));
    }
  }
  return { keys, skipped };
}

async function readKeyFile(file: string): Promise<{ text: string; mode: number }> {
  try {
    const { mode } = await stat(file);
    return { text: await readFile(file, 'utf8'), mode };
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') throw keyError(`the key file ${file} does not exist`, 'Correct the path of the key file.');
    if (errno === 'EISDIR') throw keyError(`the key file ${file} is a folder`, 'Name the private key file inside it.');
    throw keyError(
      `the key file ${file} cannot be read: ${messageOf(error)}`,
      'Run the command as the user who owns the key file.',
      error,
    );
  }
}

function parseKey(file: string, text: string, passphrase: string | undefined): ParsedKey {
  const encrypted = isEncrypted(text);
  if (encrypted && passphrase === undefined) {
    throw keyError(
      `the key file ${file} is encrypted and no passphrase is given`,
      'Give the passphrase of the key, or load the key into ssh-agent and name the agent.',
    );
  }
  const parsed = parseAnyFormat(text, passphrase);
  if (parsed instanceof Error) {
    throw encrypted
      ? keyError(`the passphrase does not open the key file ${file}`, 'Correct the passphrase of the key.', parsed)
      : keyError(
          `the key file ${file} is not a private key this program can use: ${parsed.message}`,
          'Use an ed25519, ECDSA or RSA key in the format of OpenSSH or PEM (ssh-keygen -p -f converts it).',
          parsed,
        );
  }
  if (!parsed.isPrivateKey()) {
    throw keyError(`the key file ${file} holds a public key`, 'Name the private key: the file without .pub.');
  }
  return parsed;
}

/** ssh2 reads neither PKCS#8 form of PEM, which openssl writes; Node does, and writes the older forms. */
function parseAnyFormat(text: string, passphrase: string | undefined): ParsedKey | Error {
  if (!/^-----BEGIN (ENCRYPTED )?PRIVATE KEY-----/m.test(text)) {
    const parsed: unknown = ssh2.utils.parseKey(text, passphrase);
    return (Array.isArray(parsed) ? parsed[0] : parsed) as ParsedKey | Error;
  }
  try {
    const key = createPrivateKey({ key: text, ...(passphrase === undefined ? {} : { passphrase }) });
    const type = key.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'sec1';
    return ssh2.utils.parseKey(key.export({ type, format: 'pem' }));
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function isEncrypted(text: string): boolean {
  if (/^-----BEGIN ENCRYPTED PRIVATE KEY-----/m.test(text) || /^Proc-Type: 4,ENCRYPTED/m.test(text)) return true;
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([^-]*)-----END/.exec(text)?.[1];
  if (body === undefined) return false;
  // PROTOCOL.key of OpenSSH: "openssh-key-v1\0", then the name of the cipher as a string; "none" means not encrypted.
  const blob = Buffer.from(body, 'base64');
  const start = 'openssh-key-v1\0'.length + 4;
  if (blob.length < start) return false;
  return blob.toString('latin1', start, start + blob.readUInt32BE(start - 4)) !== 'none';
}

function keyError(message: string, remedy: string, cause?: unknown): InstallerError {
  return new InstallerError({ code: 'SSH_KEY_FILE', message, remedy, cause });
}
