import { join } from 'node:path';
import { execa } from 'execa';
import { cachedDir } from './cache.ts';
import type { ServerCertificate } from './certificates.ts';
import type { BuildContext } from './go-build.ts';
import { findCommand } from './prerequisites.ts';
import { stringify } from 'yaml';

/**
 * Path of Debian's docker-registry. Where it is not installed its package is unpacked into the cache: installing it would start a
 * service on the port the lab wants.
 */
export async function registryBinary(context: BuildContext): Promise<string> {
  const installed = await findCommand('docker-registry');
  if (installed) return installed;
  const dir = await cachedDir({
    kind: 'upstream/tools',
    key: 'docker-registry',
    log: context.log,
    signal: context.signal,
    build: async (target) => {
      // apt's downloader user cannot write into root's cache; as root it downloads all the same, with a warning.
      await execa('apt-get', ['download', 'docker-registry'], { cwd: target, stdin: 'ignore' });
      await execa('sh', ['-c', 'dpkg-deb -x docker-registry_*.deb . && rm docker-registry_*.deb'], { cwd: target });
    },
  });
  return join(dir, 'usr/bin/docker-registry');
}

/** Configuration of a read-only registry over TLS; `storage` is never written to. */
export function registryConfig(storage: string, listen: string, tls: ServerCertificate): string {
  return stringify({
    version: 0.1,
    log: { level: 'warn', accesslog: { disabled: false } },
    storage: {
      filesystem: { rootdirectory: storage },
      cache: { blobdescriptor: 'inmemory' },
      maintenance: { uploadpurging: { enabled: false }, readonly: { enabled: true } },
    },
    http: { addr: listen, tls: { certificate: tls.certificate, key: tls.key } },
  });
}
