import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connectBastion } from '../../src/transport/bastion.ts';
import { connectLocal } from '../../src/transport/local.ts';
import type { LocalService } from '../../src/transport/publish.ts';
import { connectSsh, type SshTarget } from '../../src/transport/ssh.ts';
import type { Connection } from '../../src/transport/transport.ts';
import { StoppingLine } from '../support/stopping-line.ts';
import { sshdBinary, startRealSshd, type RealSshd } from '../support/sshd-real.ts';

/** A service of this process on the loopback of a host: here through OpenSSH on this machine. */
const suite = sshdBinary === undefined ? 'publish (skipped: no sshd here; install openssh-server)' : 'publish';
const content = randomBytes(8_000_000);
const pieces = Array.from({ length: 80 }, (_, index) => content.subarray(index * 100_000, (index + 1) * 100_000));

describe.skipIf(sshdBinary === undefined)(suite, () => {
  let sshd: RealSshd;
  let service: LocalService;
  const server = createServer((request, response) => {
    if (request.url !== '/large') response.end(`to ${request.headers.host ?? ''}`);
    else Readable.from(pieces).pipe(response);
  });
  const cleanups: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    sshd = await startRealSshd();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    service = {
      port: (server.address() as AddressInfo).port,
      accept: (stream) => void server.emit('connection', stream),
    };
  });
  afterAll(async () => {
    server.close();
    await sshd.stop();
  });
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  function targetOf({ address, port, user, keyFile, folder }: RealSshd): SshTarget {
    const knownHosts = { policy: 'accept-new', file: join(folder, 'known_hosts') } as const;
    return { host: 'n1', address, port, user, keyFile, knownHosts, connectTimeoutMs: 10_000 };
  }

  async function connect(target: SshTarget, options?: Parameters<typeof connectSsh>[1]): Promise<Connection> {
    const connection = await connectSsh(target, options);
    cleanups.push(() => connection.close());
    return connection;
  }

  it('answers on a port that the host chose, every byte, also to many at once', async () => {
    const connection = await connect(targetOf(sshd));

    const port = await connection.publish(service);

    expect(port).not.toBe(service.port);
    const answers = await Promise.all(
      Array.from({ length: 4 }, async () =>
        Buffer.from(await (await fetch(`http://127.0.0.1:${port}/large`)).arrayBuffer()),
      ),
    );
    expect(answers.map((answer) => answer.equals(content))).toEqual([true, true, true, true]);
    expect((await connection.exec('echo here\n', { root: false, timeoutMs: 10_000 })).stdout).toBe('here\n');
  });

  it('ends with the connection, and the next one gets the same port', async () => {
    const first = await connect(targetOf(sshd));
    const port = await first.publish(service);
    await first.close();
    await expect.poll(() => fetch(`http://127.0.0.1:${port}/`).catch(() => 'gone')).toBe('gone');

    const second = await connect(targetOf(sshd));

    expect(await second.publish(service, { preferredPort: port })).toBe(port);
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe(`to 127.0.0.1:${port}`);
  });

  it('takes another port where the one before is not free', async () => {
    const [first, second] = [await connect(targetOf(sshd)), await connect(targetOf(sshd))];
    const port = await first.publish(service);

    const other = await second.publish(service, { preferredPort: port });

    expect(other).not.toBe(port);
    expect((await fetch(`http://127.0.0.1:${other}/`)).status).toBe(200);
  });

  it('reaches a host behind a bastion', async () => {
    const bastion = await connectBastion(targetOf(sshd));
    cleanups.push(() => bastion.close());
    const connection = await connect(targetOf(sshd), { sock: await bastion.openStream(targetOf(sshd)) });

    const port = await connection.publish(service);

    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
  });

  it.each<[string, (sock: StoppingLine) => Promise<Connection>]>([
    ['a line', (sock) => connect(targetOf(sshd), { sock })],
    [
      'a bastion behind a line',
      async (sock) => {
        const bastion = await connectBastion(targetOf(sshd), { sock });
        cleanups.push(() => bastion.close());
        return connect(targetOf(sshd), { sock: await bastion.openStream(targetOf(sshd)) });
      },
    ],
  ])('gathers little in front of %s that stands still, and all comes when it goes on', async (_what, connectOver) => {
    const line = new StoppingLine(sshd.port);
    const port = await (await connectOver(line)).publish(service);
    line.stopAfter(1_000_000);

    const fetches = Array.from({ length: 4 }, async () =>
      (await fetch(`http://127.0.0.1:${port}/large`)).arrayBuffer(),
    );
    await expect.poll(() => line.isStopped).toBe(true);
    await sleep(300);
    const gathered = line.writableLength;
    line.goOn();

    expect(gathered).toBeLessThan(1_000_000);
    const answers = await Promise.all(fetches);
    expect(answers.map((answer) => Buffer.from(answer).equals(content))).toEqual([true, true, true, true]);
  });

  it.each(['AllowTcpForwarding no', 'AllowTcpForwarding local', 'DisableForwarding yes', 'PermitListen none'])(
    'says so where sshd forbids it: %s',
    async (line) => {
      const strict = await startRealSshd([line]);
      cleanups.push(() => strict.stop());
      const connection = await connect(targetOf(strict));

      const failure: unknown = await connection.publish(service).catch((error: unknown) => error);

      expect(failure).toMatchObject({ code: 'SSH_FORWARDING', host: 'n1', exitCode: 3 });
      expect((failure as { remedy: string }).remedy).toContain('installer bundle serve');
    },
  );

  it('is the port itself on the machine that the program runs on', async () => {
    const connection = await connectLocal('here');
    cleanups.push(() => connection.close());

    expect(await connection.publish(service)).toBe(service.port);
  });
});
