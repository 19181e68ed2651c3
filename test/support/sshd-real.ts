import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { generateKey } from './sshd-keys.ts';
import type { TestKey } from './sshd-keys.ts';

/** Where Debian, Red Hat and SUSE put the server of OpenSSH. */
export const sshdBinary = ['/usr/sbin/sshd', '/usr/lib/ssh/sshd'].find((path) => existsSync(path));

/** An OpenSSH server on loopback, started and stopped by the test. */
export interface RealSshd {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly hostKey: TestKey;
  /** A private key that may log in. */
  readonly keyFile: string;
  /** Temporary folder of this server; a test may keep its own files there. */
  readonly folder: string;
  /** What sshd has logged so far. */
  log(): string;
  stop(): Promise<void>;
}

/** Starts sshd as the current user in the foreground, with a configuration and keys of its own. `extra` are more lines of sshd_config. */
export async function startRealSshd(extra: readonly string[] = []): Promise<RealSshd> {
  if (sshdBinary === undefined) throw new Error('there is no sshd on this machine');
  const folder = await mkdtemp(join(tmpdir(), 'installer-sshd-'));
  const hostKey = generateKey();
  const userKey = generateKey();
  const keyFile = join(folder, 'id_ed25519');
  const port = await findFreePort();
  await writeFile(join(folder, 'host_key'), hostKey.privateKey, { mode: 0o600 });
  await writeFile(keyFile, userKey.privateKey, { mode: 0o600 });
  await writeFile(join(folder, 'authorized_keys'), `${userKey.publicKey}\n`, { mode: 0o600 });
  await writeFile(
    join(folder, 'sshd_config'),
    [
      ...extra,
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${join(folder, 'host_key')}`,
      `PidFile ${join(folder, 'pid')}`,
      `AuthorizedKeysFile ${join(folder, 'authorized_keys')}`,
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin yes',
      'MaxStartups 300',
      // Where the login shell is bash, this keeps it from reading the developer's own ~/.bashrc.
      'SetEnv SHLVL=1',
      '',
    ].join('\n'),
  );
  // sshd of a root user insists on this folder, which the system's own service makes at boot.
  if (userInfo().uid === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const child = spawn(sshdBinary, ['-D', '-e', '-f', join(folder, 'sshd_config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  const listening = new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      log += chunk.toString();
      if (log.includes('Server listening on')) resolve();
    });
    child.once('exit', (code) => {
      reject(new Error(`sshd ended with ${code ?? 'a signal'}: ${log}`));
    });
  });
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve();
    });
  });
  await listening;
  return {
    address: '127.0.0.1',
    port,
    user: userInfo().username,
    hostKey,
    keyFile,
    folder,
    log: () => log,
    async stop() {
      child.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}
