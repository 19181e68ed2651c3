import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import type { BuildContext } from './go-build.ts';

/** A Debian package and a file that shows it is there; a bare name is looked for in PATH. */
interface Prerequisite {
  readonly name: string;
  readonly proof: string;
}

const always: readonly Prerequisite[] = [
  { name: 'apt-utils', proof: 'apt-ftparchive' },
  { name: 'gnupg', proof: 'gpg' },
  { name: 'openssl', proof: 'openssl' },
];

const bySource: Readonly<Record<'official' | 'built', readonly Prerequisite[]>> = {
  official: [{ name: 'skopeo', proof: 'skopeo' }],
  built: [
    { name: 'gcc', proof: 'gcc' },
    { name: 'libc6-dev', proof: '/usr/include/stdio.h' },
    { name: 'libseccomp-dev', proof: '/usr/include/seccomp.h' },
    { name: 'mmdebstrap', proof: 'mmdebstrap' },
    { name: 'musl-tools', proof: 'musl-gcc' },
    { name: 'pkg-config', proof: 'pkg-config' },
  ],
};

/** Installs what the machine lacks; it must be Debian-like, and the user root when something is missing. */
export async function ensurePrerequisites(source: 'official' | 'built', context: BuildContext): Promise<void> {
  const missing: string[] = [];
  for (const { name, proof } of [...always, ...bySource[source]]) {
    if (!(await isThere(proof))) missing.push(name);
  }
  if (source === 'built' && !(await isThere('go'))) {
    throw new Error('the lab builds its upstream with Go: install Go 1.26 or later and put it in PATH');
  }
  if (missing.length === 0) return;
  context.log(`installing ${missing.join(', ')}`);
  const options = {
    env: { DEBIAN_FRONTEND: 'noninteractive' },
    stdin: 'ignore',
    ...(context.signal ? { cancelSignal: context.signal } : {}),
  } as const;
  await execa('apt-get', ['update', '-qq'], options);
  await execa('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], options);
}

/** Absolute path of a command in PATH, if it is there. */
export async function findCommand(name: string): Promise<string | undefined> {
  for (const dir of (process.env.PATH ?? '').split(delimiter)) {
    if (dir && (await readable(join(dir, name)))) return join(dir, name);
  }
  return undefined;
}

async function isThere(proof: string): Promise<boolean> {
  return proof.startsWith('/') ? readable(proof) : (await findCommand(proof)) !== undefined;
}

async function readable(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
