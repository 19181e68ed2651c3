import type { ServerHostKeyAlgorithm } from 'ssh2';
import { InstallerError } from '../errors.ts';
import { appendKnownHost, loadKnownHosts } from './known-hosts-file.ts';
import { fingerprint, judgeHostKey, keyTypeOf, knownHostsName, knownKeyTypes } from './known-hosts.ts';
import type { KnownHosts, KnownHostsEntry } from './known-hosts.ts';
import { describeEndpoint } from './ssh-target.ts';
import type { SshTarget } from './ssh-target.ts';

/** Strongest first. Signatures with SHA-1 (`ssh-rsa` as a signature, ssh-dss) are not offered: RFC 8332, OpenSSH 8.8. */
const algorithmsOfKeyType: ReadonlyMap<string, readonly ServerHostKeyAlgorithm[]> = new Map([
  ['ssh-ed25519', ['ssh-ed25519']],
  ['ecdsa-sha2-nistp256', ['ecdsa-sha2-nistp256']],
  ['ecdsa-sha2-nistp384', ['ecdsa-sha2-nistp384']],
  ['ecdsa-sha2-nistp521', ['ecdsa-sha2-nistp521']],
  ['ssh-rsa', ['rsa-sha2-512', 'rsa-sha2-256']],
]);

/** The check of one host's identity during one connection. */
export interface HostKeyCheck {
  /** What to offer, so that the host presents a key of a type that is recorded. */
  readonly algorithms: ServerHostKeyAlgorithm[];
  /** Judges the presented key; where it returns false, `error` says why. */
  verify(key: Buffer): boolean;
  readonly error: InstallerError | undefined;
  /** Records a key accepted as new. Called only once the host has proved that it holds the key. */
  record(): Promise<void>;
}

/** Reads what is known about the host. Fails with SSH_KNOWN_HOSTS where the file cannot be read. */
export async function prepareHostKeyCheck(
  target: SshTarget,
  onWarning?: (text: string) => void,
): Promise<HostKeyCheck> {
  const { file, policy } = target.knownHosts;
  const known = await loadKnownHosts(file, target.host);
  let error: InstallerError | undefined;
  let added: Buffer | undefined;
  return {
    algorithms: hostKeyAlgorithms(knownKeyTypes(known, target)),
    get error() {
      return error;
    },
    verify(key) {
      if (added?.equals(key)) return true;
      const verdict = judgeHostKey(known, target, key);
      if (verdict.kind === 'known') return true;
      if (verdict.kind === 'unknown' && policy === 'accept-new') {
        added = key;
        return true;
      }
      if (verdict.kind === 'unknown') error = unknownKeyError(target, key, known);
      else if (verdict.kind === 'changed') error = changedKeyError(target, key, verdict.entry);
      else error = revokedKeyError(target, key, verdict.entry);
      return false;
    },
    async record() {
      if (!added) return;
      await appendKnownHost(file, target, added, target.host);
      onWarning?.(`${target.host}: added the ${label(added)} to ${file}`);
    },
  };
}

/** All algorithms this program offers, those of the given key types first, as ssh(1) orders them. */
export function hostKeyAlgorithms(preferredKeyTypes: readonly string[]): ServerHostKeyAlgorithm[] {
  const types = new Set([...preferredKeyTypes, ...algorithmsOfKeyType.keys()]);
  return [...types].flatMap((type) => algorithmsOfKeyType.get(type) ?? []);
}

function unknownKeyError(target: SshTarget, key: Buffer, known: KnownHosts): InstallerError {
  const { file } = target.knownHosts;
  const scan = `ssh-keyscan -p ${target.port} ${target.address} >> ${file}`;
  return new InstallerError({
    code: 'SSH_HOST_KEY_UNKNOWN',
    message: `${describeEndpoint(target)} presents a host key that is not in ${file}`,
    remedy: `Compare the fingerprint with the one shown on the host's console, then run: ${scan} (or allow new hosts with the policy accept-new).`,
    host: target.host,
    details: [
      `presented: ${label(key)}`,
      ...known.ignored.map(({ line, reason }) => `${file}:${line} is ignored: ${reason}`),
    ],
  });
}

function changedKeyError(target: SshTarget, key: Buffer, entry: KnownHostsEntry): InstallerError {
  const { file } = target.knownHosts;
  return new InstallerError({
    code: 'SSH_HOST_KEY_CHANGED',
    message: `${describeEndpoint(target)} presents another host key than the one in ${file} line ${entry.line}: the host was installed anew, or someone answers in its place`,
    remedy: `Only where the change is explained, remove the old key with: ssh-keygen -f ${file} -R '${knownHostsName(target)}'`,
    host: target.host,
    details: [`recorded: ${label(entry.key)} (${file}:${entry.line})`, `presented: ${label(key)}`],
  });
}

function revokedKeyError(target: SshTarget, key: Buffer, entry: KnownHostsEntry): InstallerError {
  return new InstallerError({
    code: 'SSH_HOST_KEY_REVOKED',
    message: `${describeEndpoint(target)} presents a host key that ${target.knownHosts.file} line ${entry.line} revokes`,
    remedy: 'Give the host a new key; do not log in before that.',
    host: target.host,
    details: [`presented: ${label(key)}`],
  });
}

function label(key: Buffer): string {
  return `${keyTypeOf(key) ?? 'unknown'} key ${fingerprint(key)}`;
}
