import { access, mkdir, rm, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';

/** Files of a server's TLS identity; all PEM. */
export interface ServerCertificate {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/**
 * A certificate for the given names and addresses, signed by a CA that lives in `dir`. The CA is made once a directory, so that
 * hosts that trust it go on doing so after a restart; the certificate is made anew each time.
 */
export async function serverCertificate(dir: string, names: readonly string[]): Promise<ServerCertificate> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const files = { ca: join(dir, 'ca.crt'), certificate: join(dir, 'server.crt'), key: join(dir, 'server.key') };
  const caKey = join(dir, 'ca.key');
  const hasCa = await Promise.all([access(files.ca), access(caKey)]).then(
    () => true,
    () => false,
  );
  if (!hasCa) {
    const extensions = ['-addext', 'keyUsage=critical,keyCertSign,cRLSign'];
    const subject = ['-subj', '/CN=installer lab CA', '-days', '365'];
    await openssl(['req', '-x509', ...newKey, ...subject, ...extensions, '-keyout', caKey, '-out', files.ca]);
  }
  const request = join(dir, 'server.csr');
  const extensions = join(dir, 'server.ext');
  const alternatives = names.map((name) => `${isIP(name) ? 'IP' : 'DNS'}:${name}`).join(',');
  const usage = 'basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n';
  await writeFile(extensions, `${usage}subjectAltName=${alternatives}\n`);
  await openssl(['req', '-new', ...newKey, '-subj', '/CN=installer lab', '-keyout', files.key, '-out', request]);
  const signing = ['-CA', files.ca, '-CAkey', caKey, '-CAcreateserial', '-days', '365', '-extfile', extensions];
  await openssl(['x509', '-req', '-in', request, ...signing, '-out', files.certificate]);
  for (const leftover of [request, extensions]) await rm(leftover);
  return files;
}

async function openssl(args: readonly string[]): Promise<void> {
  await execa('openssl', args, { stdin: 'ignore' });
}
