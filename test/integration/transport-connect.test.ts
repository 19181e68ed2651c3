import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InstallerError } from '../../src/errors.ts';
import { connectSsh } from '../../src/transport/ssh.ts';
import type { SshTarget } from '../../src/transport/ssh.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { generateKey, startSshd } from '../support/sshd.ts';
import type { Sshd, SshdOptions } from '../support/sshd.ts';

const userKey = generateKey();
const cleanups: (() => Promise<unknown>)[] = [];
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'installer-transport-'));
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await rm(folder, { recursive: true, force: true });
});

async function start(options: Partial<SshdOptions> = {}): Promise<Sshd> {
  const sshd = await startSshd({ users: { ops: { publicKeys: [userKey] } }, shell: 'real', ...options });
  cleanups.push(() => sshd.stop());
  return sshd;
}

async function keyFile(name = 'key', text = userKey.privateKey, mode = 0o600): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, text);
  await chmod(file, mode);
  return file;
}

const knownHostsFile = (): string => join(folder, 'state', 'known_hosts');

async function targetOf(sshd: { address: string; port: number }, more: Partial<SshTarget> = {}): Promise<SshTarget> {
  return {
    host: 'n1',
    address: sshd.address,
    port: sshd.port,
    user: 'ops',
    keyFile: await keyFile(),
    knownHosts: { policy: 'accept-new', file: knownHostsFile() },
    connectTimeoutMs: 10_000,
    ...more,
  };
}

async function connect(target: SshTarget, options?: Parameters<typeof connectSsh>[1]): Promise<Transport> {
  const transport = await connectSsh(target, options);
  cleanups.push(() => transport.close());
  return transport;
}

/** The error that connecting ends with; its host and remedy are always there. */
async function failureOf(target: SshTarget, options?: Parameters<typeof connectSsh>[1]): Promise<InstallerError> {
  const result = await connect(target, options).catch((error: unknown) => error);
  if (!(result instanceof InstallerError)) throw new Error('expected an InstallerError', { cause: result });
  return result;
}

describe('the host key', () => {
  it('is recorded on first sight with accept-new, readable for the user only, and holds from then on', async () => {
    const sshd = await start();
    const warnings: string[] = [];
    const target = await targetOf(sshd);
    await connect(target, { onWarning: (text) => warnings.push(text) });
    await connect({ ...target, knownHosts: { policy: 'strict', file: knownHostsFile() } });
    expect(await readFile(knownHostsFile(), 'utf8')).toBe(`[127.0.0.1]:${sshd.port} ${sshd.hostKey.publicKey}\n`);
    expect((await stat(knownHostsFile())).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'state'))).mode & 0o777).toBe(0o700);
    expect(warnings).toEqual([expect.stringContaining('added the ssh-ed25519 key SHA256:')]);
  });

  it('that is not known is refused with strict, with fingerprint and the line that records it', async () => {
    const sshd = await start();
    const target = await targetOf(sshd, { knownHosts: { policy: 'strict', file: knownHostsFile() } });
    const error = await failureOf(target);
    expect(error.code).toBe('SSH_HOST_KEY_UNKNOWN');
    expect(error.host).toBe('n1');
    expect(error.remedy).toContain(`ssh-keyscan -p ${sshd.port} 127.0.0.1 >> ${knownHostsFile()}`);
    expect(error.details[0]).toMatch(/^presented: ssh-ed25519 key SHA256:[\w+/]{43}$/);
    await expect(stat(knownHostsFile())).rejects.toThrow('ENOENT');
  });

  it.each(['strict', 'accept-new'] as const)('that has changed is refused with %s', async (policy) => {
    const sshd = await start();
    const file = join(folder, 'known');
    await writeFile(file, `# old\n[127.0.0.1]:${sshd.port} ${generateKey().publicKey}\n`);
    const error = await failureOf(await targetOf(sshd, { knownHosts: { policy, file } }));
    expect(error.code).toBe('SSH_HOST_KEY_CHANGED');
    expect(error.message).toContain(`${file} line 2`);
    expect(error.remedy).toContain(`ssh-keygen -f ${file} -R '[127.0.0.1]:${sshd.port}'`);
    expect(error.details.map((line) => line.split(':')[0])).toEqual(['recorded', 'presented']);
  });

  it('that is revoked is refused', async () => {
    const sshd = await start();
    const file = join(folder, 'known');
    await writeFile(file, `@revoked * ${sshd.hostKey.publicKey}\n`);
    const error = await failureOf(await targetOf(sshd, { knownHosts: { policy: 'accept-new', file } }));
    expect(error.code).toBe('SSH_HOST_KEY_REVOKED');
  });

  it('is asked for in the type that is recorded, also where the server prefers another', async () => {
    const ecdsa = generateKey('ecdsa');
    const sshd = await start({ hostKeys: [generateKey(), ecdsa] });
    const file = join(folder, 'known');
    await writeFile(file, `[127.0.0.1]:${sshd.port} ${ecdsa.publicKey}\n`);
    const transport = await connect(await targetOf(sshd, { knownHosts: { policy: 'strict', file } }));
    expect(transport.privilege).toBeDefined();
  });

  it('of many hosts at once is recorded without mixing lines', async () => {
    const shared = generateKey();
    const sshds = await Promise.all(Array.from({ length: 10 }, () => start({ hostKeys: [shared] })));
    await writeFile(join(folder, 'known'), 'other.example ssh-ed25519 no-line-end-here');
    await Promise.all(
      sshds.flatMap((sshd) =>
        [1, 2, 3].map(async () =>
          connect(await targetOf(sshd, { knownHosts: { policy: 'accept-new', file: join(folder, 'known') } })),
        ),
      ),
    );
    const lines = (await readFile(join(folder, 'known'), 'utf8')).trimEnd().split('\n');
    const expected = sshds.map((sshd) => `[127.0.0.1]:${sshd.port} ${shared.publicKey}`);
    expect(lines.slice(1).sort()).toEqual(expected.sort());
  });
});

describe('the login', () => {
  it('with a rejected key says what was tried and what the host accepts', async () => {
    const sshd = await start({ users: { ops: { publicKeys: [generateKey()], password: 'x' } } });
    const error = await failureOf(await targetOf(sshd));
    expect(error.code).toBe('SSH_AUTH_FAILED');
    expect(error.details[0]).toMatch(/^tried: key .*\/key \(SHA256:/);
    expect(error.details[1]).toBe('the server accepts: publickey, password');
    expect(error.remedy).toContain(`ssh-copy-id -p ${sshd.port} ops@127.0.0.1`);
  });

  it.each([{ keyboardInteractive: false }, { keyboardInteractive: true }])('by password works (%o)', async (how) => {
    const sshd = await start({ users: { ops: { password: 'päss word', ...how } } });
    const transport = await connect(await targetOf(sshd, { keyFile: undefined, password: 'päss word' }));
    expect((await transport.exec('echo in\n', { root: false, timeoutMs: 5000 })).stdout).toBe('in\n');
  });

  it.each([{ keyboardInteractive: false }, { keyboardInteractive: true }])(
    'by a wrong password fails without repeating it (%o)',
    async (how) => {
      const sshd = await start({ users: { ops: { password: 'right', ...how } } });
      const error = await failureOf(await targetOf(sshd, { keyFile: undefined, password: 'wrong' }));
      expect(error.code).toBe('SSH_AUTH_FAILED');
      expect(JSON.stringify([error.message, error.details])).not.toContain('wrong');
    },
  );

  it('with key and password, where the host asks for both', async () => {
    const sshd = await start({ users: { ops: { publicKeys: [userKey], password: 'second', both: true } } });
    const transport = await connect(await targetOf(sshd, { password: 'second' }));
    expect(transport.description).toBe(`ops@127.0.0.1:${sshd.port}`);
  });

  it('with an encrypted key and its passphrase', async () => {
    const encrypted = generateKey('ed25519', 'secret');
    const sshd = await start({ users: { ops: { publicKeys: [encrypted] } } });
    const file = await keyFile('encrypted', encrypted.privateKey);
    await connect(await targetOf(sshd, { keyFile: file, keyPassphrase: 'secret' }));
    const missing = await failureOf(await targetOf(sshd, { keyFile: file }));
    expect([missing.code, missing.message]).toEqual([
      'SSH_KEY_FILE',
      expect.stringContaining('no passphrase is given'),
    ]);
    const wrong = await failureOf(await targetOf(sshd, { keyFile: file, keyPassphrase: 'guess' }));
    expect([wrong.code, wrong.message]).toEqual(['SSH_KEY_FILE', expect.stringContaining('passphrase does not open')]);
  });

  it('with the default keys where none is named', async () => {
    const sshd = await start();
    await keyFile('id_ed25519');
    const target = await targetOf(sshd, { keyFile: undefined });
    await connect(target, { keyFolder: folder });
    const error = await failureOf(target, { keyFolder: join(folder, 'none') });
    expect(error.details.slice(0, 2)).toEqual(['tried: no key and no password', 'the server accepts: publickey']);
  });

  it.each([
    { name: 'missing', text: undefined, message: /does not exist/ },
    { name: 'public', text: userKey.publicKey, message: /holds a public key/ },
    { name: 'other', text: 'hello\n', message: /not a private key this program can use/ },
  ])('with a key file that is $name says so', async ({ name, text, message }) => {
    const sshd = await start();
    const file = text === undefined ? join(folder, name) : await keyFile(name, text);
    const error = await failureOf(await targetOf(sshd, { keyFile: file }));
    expect([error.code, error.host]).toEqual(['SSH_KEY_FILE', 'n1']);
    expect(error.message).toMatch(message);
    expect(sshd.acceptedConnections).toBe(0);
  });

  it('with a key file that others can read warns and goes on', async () => {
    const sshd = await start();
    const warnings: string[] = [];
    const file = await keyFile('open', userKey.privateKey, 0o644);
    await connect(await targetOf(sshd, { keyFile: file }), { onWarning: (text) => warnings.push(text) });
    expect(warnings[0]).toContain(`chmod 600 ${file}`);
  });

  it('with an agent that is not there names it', async () => {
    const sshd = await start();
    const error = await failureOf(await targetOf(sshd, { keyFile: undefined, agentSocket: join(folder, 'agent') }));
    expect(error.code).toBe('SSH_AUTH_FAILED');
    expect(error.details.join('\n')).toContain('the agent fails: Failed to connect to agent');
  });
});

describe('the connection', () => {
  it('refused by the machine', async () => {
    const sshd = await start();
    await sshd.stop();
    const error = await failureOf(await targetOf(sshd));
    expect([error.code, error.host]).toEqual(['SSH_REFUSED', 'n1']);
  });

  it('to a name that does not resolve', async () => {
    const error = await failureOf(await targetOf({ address: 'n1.invalid', port: 22 }));
    expect(error.code).toBe('SSH_UNREACHABLE');
  });

  it('that is accepted but never answered ends at the deadline and says so', async () => {
    const sshd = await start({ link: { silent: true } });
    const error = await failureOf(await targetOf(sshd, { connectTimeoutMs: 200 }));
    expect(error.code).toBe('SSH_TIMEOUT');
    expect(error.message).toContain('does not complete the handshake');
    await expect.poll(() => sshd.openConnections).toBe(0);
  });

  it('that sshd drops under load is tried again', async () => {
    const sshd = await start({ link: { dropFirst: 2 } });
    const transport = await connect(await targetOf(sshd));
    expect(sshd.acceptedConnections).toBe(3);
    expect(transport.trips).toBe(0);
  });

  it('that is dropped each time fails with what to look at', async () => {
    const sshd = await start({ link: { dropFirst: 99 } });
    const error = await failureOf(await targetOf(sshd));
    expect([error.code, error.remedy]).toEqual(['SSH_DROPPED', expect.stringContaining('MaxStartups')]);
  });

  it.each([0, 20, 100])('ends at once when aborted after %i ms, and leaves no socket', async (ms) => {
    const sshd = await start({ link: { delayMs: 40 } });
    const controller = new AbortController();
    const failing = failureOf(await targetOf(sshd), { signal: controller.signal });
    setTimeout(() => controller.abort(), ms);
    const error = await failing;
    expect([error.code, error.exitCode]).toEqual(['INTERRUPTED', 130]);
    await expect.poll(() => sshd.openConnections).toBe(0);
  });

  it('is made a hundred times at once', async () => {
    const sshd = await start({ shell: () => ({ stdout: 'pong\n' }) });
    const target = await targetOf(sshd);
    const transports = await Promise.all(Array.from({ length: 100 }, () => connect(target)));
    const results = await Promise.all(transports.map((t) => t.exec('ping\n', { root: true, timeoutMs: 30_000 })));
    expect(new Set(results.map((result) => result.stdout))).toEqual(new Set(['pong\n']));
  });
});
