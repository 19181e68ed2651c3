import { readFile, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { InstallerError } from '../../src/errors.ts';
import { connectBastion } from '../../src/transport/bastion.ts';
import { connectSsh } from '../../src/transport/ssh.ts';
import type { SshTarget } from '../../src/transport/ssh.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { generateKey } from '../support/sshd-keys.ts';
import { startLink } from '../support/sshd-link.ts';
import { sshdBinary, startRealSshd } from '../support/sshd-real.ts';
import type { RealSshd } from '../support/sshd-real.ts';

const suite = sshdBinary === undefined ? 'OpenSSH (skipped: no sshd here; install openssh-server)' : 'OpenSSH';
const plain = { root: false, timeoutMs: 30_000 };

describe.skipIf(sshdBinary === undefined)(suite, () => {
  let sshd: RealSshd;
  const cleanups: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    sshd = await startRealSshd();
  });
  afterAll(async () => {
    await sshd.stop();
  });
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  function targetOf(server: RealSshd, more: Partial<SshTarget> = {}): SshTarget {
    return {
      host: 'n1',
      address: server.address,
      port: server.port,
      user: server.user,
      keyFile: server.keyFile,
      knownHosts: { policy: 'accept-new', file: join(server.folder, 'known_hosts') },
      connectTimeoutMs: 30_000,
      ...more,
    };
  }

  async function connect(target: SshTarget): Promise<Transport> {
    const transport = await connectSsh(target);
    cleanups.push(() => transport.close());
    return transport;
  }

  async function failureOf(work: Promise<unknown>): Promise<InstallerError> {
    const result = await work.catch((error: unknown) => error);
    if (!(result instanceof InstallerError)) throw new Error('expected an InstallerError', { cause: result });
    return result;
  }

  it('runs a script, and records the host key as ssh does', async () => {
    const transport = await connect(targetOf(sshd));
    const result = await transport.exec('echo "$0 é"; echo wrong >&2; exit 3\n', plain);
    expect(result).toMatchObject({ exitCode: 3, stdout: '/bin/sh é\n', stderr: 'wrong\n' });
    const recorded = await readFile(join(sshd.folder, 'known_hosts'), 'utf8');
    expect(recorded).toBe(`[127.0.0.1]:${sshd.port} ${sshd.hostKey.publicKey}\n`);
  });

  it('rejects a key that it does not know', async () => {
    const other = await startRealSshd();
    cleanups.push(() => other.stop());
    const error = await failureOf(connect(targetOf(sshd, { keyFile: other.keyFile })));
    expect([error.code, error.details[1]]).toEqual(['SSH_AUTH_FAILED', 'the server accepts: publickey']);
  });

  it('takes 10 MB and gives 10 MB', async () => {
    const transport = await connect(targetOf(sshd));
    const data = `${'x'.repeat(99)}\n`.repeat(100_000);
    const result = await transport.exec(`wc -c <<'END'\n${data}END\nhead -c 10000000 /dev/zero | tr '\\0' y\n`, plain);
    expect([result.stdout.slice(0, 9), result.stdout.length]).toEqual(['10000000\n', 10_000_009]);
  });

  it('carries 30 scripts of one connection within its ten sessions', async () => {
    const transport = await connect(targetOf(sshd));
    const results = await Promise.all(Array.from({ length: 30 }, (_, n) => transport.exec(`echo ${n}\n`, plain)));
    expect(results.map((result) => result.stdout)).toEqual(Array.from({ length: 30 }, (_, n) => `${n}\n`));
  });

  it('carries scripts also with MaxSessions 1', async () => {
    const small = await startRealSshd(['MaxSessions 1']);
    cleanups.push(() => small.stop());
    const transport = await connect(targetOf(small));
    const results = await Promise.all([1, 2, 3].map((n) => transport.exec(`echo ${n}\n`, plain)));
    expect(results.map((result) => result.stdout)).toEqual(['1\n', '2\n', '3\n']);
  });

  it('is reached by a hundred connections at once', async () => {
    const transports = await Promise.all(Array.from({ length: 100 }, () => connect(targetOf(sshd))));
    const results = await Promise.all(transports.map((transport, n) => transport.exec(`echo ${n}\n`, plain)));
    expect(results.map((result) => result.stdout)).toEqual(Array.from({ length: 100 }, (_, n) => `${n}\n`));
  });

  it('is reached a hundred times at once also where it drops connections at random', async () => {
    const busy = await startRealSshd(['MaxStartups 20:30:100']);
    cleanups.push(() => busy.stop());
    const results = await Promise.allSettled(Array.from({ length: 60 }, () => connect(targetOf(busy))));
    expect(results.filter((result) => result.status === 'rejected')).toEqual([]);
  });

  it('gives up a script at its deadline and goes on with the next', async () => {
    const transport = await connect(targetOf(sshd));
    const error = await failureOf(transport.exec('sleep 5\n', { ...plain, timeoutMs: 200 }));
    expect(error.code).toBe('SSH_TIMEOUT');
    expect((await transport.exec('echo next\n', plain)).stdout).toBe('next\n');
  });

  it.skipIf(userInfo().uid === 0)('ends the processes of a script of an ordinary user at its deadline', async () => {
    const transport = await connect(targetOf(sshd));
    const marker = join(sshd.folder, 'marker');
    await failureOf(transport.exec(`sleep 1; touch ${marker}\n`, { ...plain, timeoutMs: 200 }));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await expect(readFile(marker)).rejects.toThrow('ENOENT');
  });

  it('that breaks off in the middle of a script leaves the outcome unknown', async () => {
    const link = await startLink(sshd.port);
    cleanups.push(() => link.stop());
    const transport = await connect(targetOf(sshd, { port: link.port }));
    const error = await failureOf(transport.exec('echo on; sleep 5\n', { ...plain, onStdout: () => link.cut() }));
    expect(error.code).toBe('SSH_CONNECTION_LOST');
  });

  it('with another host key than before is refused', async () => {
    const link = await startLink(sshd.port);
    cleanups.push(() => link.stop());
    const target = targetOf(sshd, { port: link.port });
    await connect(target);
    await writeFile(target.knownHosts.file, `[127.0.0.1]:${link.port} ${generateKey().publicKey}\n`);
    expect((await failureOf(connect(target))).code).toBe('SSH_HOST_KEY_CHANGED');
  });

  it('serves as bastion', async () => {
    const inner = await startRealSshd();
    cleanups.push(() => inner.stop());
    const bastion = await connectBastion(targetOf(sshd));
    cleanups.push(() => bastion.close());
    const transport = await connectSsh(targetOf(inner), { sock: await bastion.openStream(targetOf(inner)) });
    cleanups.push(() => transport.close());
    expect((await transport.exec('echo through\n', plain)).stdout).toBe('through\n');
  });
});
