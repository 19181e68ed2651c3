import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InstallerError } from '../../src/errors.ts';
import { connectBastion } from '../../src/transport/bastion.ts';
import { connectSsh } from '../../src/transport/ssh.ts';
import type { ConnectOptions, SshTarget } from '../../src/transport/ssh.ts';
import { outcomeUnknownCodes } from '../../src/transport/transport.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { startSshd } from '../support/sshd.ts';
import type { Sshd, SshdOptions } from '../support/sshd.ts';

const cleanups: (() => Promise<unknown>)[] = [];
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'installer-transport-'));
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await rm(folder, { recursive: true, force: true });
});

const plain = { root: false, timeoutMs: 20_000 };
const asRoot = { root: true, timeoutMs: 20_000 };

async function start(options: Partial<SshdOptions> = {}): Promise<Sshd> {
  const sshd = await startSshd({ users: { ops: { password: 'login' } }, shell: 'real', ...options });
  cleanups.push(() => sshd.stop());
  return sshd;
}

function targetOf(sshd: { address: string; port: number }, more: Partial<SshTarget> = {}): SshTarget {
  return {
    host: 'n1',
    address: sshd.address,
    port: sshd.port,
    user: 'ops',
    password: 'login',
    knownHosts: { policy: 'accept-new', file: join(folder, 'known_hosts') },
    connectTimeoutMs: 10_000,
    ...more,
  };
}

async function connect(sshd: Sshd, more: Partial<SshTarget> = {}, options: ConnectOptions = {}): Promise<Transport> {
  const transport = await connectSsh(targetOf(sshd, more), options);
  cleanups.push(() => transport.close());
  return transport;
}

async function failureOf(work: Promise<unknown>): Promise<InstallerError> {
  const result = await work.catch((error: unknown) => error);
  if (!(result instanceof InstallerError)) throw new Error('expected an InstallerError', { cause: result });
  return result;
}

describe('a script', () => {
  it('runs with its output, its exit status and its measure', async () => {
    const transport = await connect(await start());
    const script = 'echo "$0 é"; echo wrong >&2; exit 3\n';
    const result = await transport.exec(script, plain);
    expect(result).toMatchObject({ exitCode: 3, signal: undefined, stdout: '/bin/sh é\n', stderr: 'wrong\n' });
    expect([result.bytesSent, result.bytesReceived]).toEqual([Buffer.byteLength(script), 17]);
    expect(result.durationMs).toBeGreaterThan(0);
    expect(transport.trips).toBe(1);
  });

  it('that a signal ends says which', async () => {
    const transport = await connect(await start());
    expect(await transport.exec('kill -KILL $$\n', plain)).toMatchObject({ exitCode: undefined, signal: 'SIGKILL' });
  });

  it('may end without reading all of its text', async () => {
    const transport = await connect(await start());
    const result = await transport.exec(`echo early; exit 0\n${'# rest\n'.repeat(1_000_000)}`, plain);
    expect(result).toMatchObject({ exitCode: 0, stdout: 'early\n' });
  });

  it('of 10 MB arrives whole, and 10 MB of output come back', async () => {
    const transport = await connect(await start());
    const data = `${'x'.repeat(99)}\n`.repeat(100_000);
    const script = `wc -c <<'END'\n${data}END\nhead -c 10000000 /dev/zero | tr '\\0' y\n`;
    const result = await transport.exec(script, plain);
    expect(result.stdout.slice(0, 9)).toBe('10000000\n');
    expect(result.stdout.length).toBe(10_000_009);
    expect(result.bytesSent).toBe(Buffer.byteLength(script));
  });

  it('shows its output as it comes, with characters whole', async () => {
    const transport = await connect(await start());
    const seen: string[] = [];
    await transport.exec(`printf 'a\\342'; sleep 0.1; printf '\\202\\254b'\n`, {
      ...plain,
      onStdout: (text) => seen.push(text),
    });
    expect(seen).toEqual(['a', '€b']);
  });

  it('that prints more than the bound is ended', async () => {
    const transport = await connect(await start());
    const error = await failureOf(transport.exec('echo start; yes\n', { ...plain, maxOutputBytes: 100_000 }));
    expect([error.code, error.host]).toEqual(['SSH_OUTPUT_TOO_LARGE', 'n1']);
    expect((await transport.exec('echo next\n', plain)).stdout).toBe('next\n');
  });

  it('is kept apart from what login scripts print while connecting', async () => {
    const transport = await connect(await start({ noise: 'Welcome to n1' }));
    expect((await transport.exec('echo first\n', plain)).stdout).toBe('first\n');
    // A shell started later prints the noise into the answer; callers frame their answers.
    expect((await transport.exec('echo second\n', plain)).stdout).toBe('Welcome to n1second\n');
  });

  it('runs beside others, as many at once as the sessions of sshd suffice for', async () => {
    const sshd = await start();
    const transport = await connect(sshd);
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, n) => transport.exec(`sleep 0.1; echo ${n}\n`, plain)),
    );
    expect(results.map((result) => result.stdout)).toEqual(Array.from({ length: 20 }, (_, n) => `${n}\n`));
    expect(sshd.peakSessions).toBeLessThanOrEqual(8);
    expect(transport.trips).toBe(20);
  });

  it.each([1, 2])('runs also where sshd allows %i sessions', async (maxSessions) => {
    const sshd = await start({ maxSessions });
    const transport = await connect(sshd);
    const results = await Promise.all([1, 2, 3].map((n) => transport.exec(`echo ${n}\n`, plain)));
    expect(results.map((result) => result.stdout)).toEqual(['1\n', '2\n', '3\n']);
  });

  it('costs one round trip, because its shell waits for it', async () => {
    const transport = await connect(await start({ shell: () => ({ stdout: 'pong\n' }), link: { delayMs: 50 } }));
    const startedAt = performance.now();
    for (let n = 0; n < 10; n += 1) await transport.exec('ping\n', plain);
    // Without shells in waiting each would take three round trips of 100 ms.
    expect(performance.now() - startedAt).toBeLessThan(2000);
  });
});

describe('an end before the end', () => {
  it('a deadline ends the script and leaves the outcome unknown', async () => {
    const transport = await connect(await start());
    const startedAt = performance.now();
    const error = await failureOf(transport.exec('sleep 30\n', { ...plain, timeoutMs: 200 }));
    expect(performance.now() - startedAt).toBeLessThan(1500);
    expect([error.code, outcomeUnknownCodes.has(error.code), error.host]).toEqual(['SSH_TIMEOUT', true, 'n1']);
    expect((await transport.exec('echo next\n', plain)).stdout).toBe('next\n');
  });

  it('an abort ends running and waiting scripts at once', async () => {
    const transport = await connect(await start());
    const controller = new AbortController();
    const all = Array.from({ length: 12 }, () =>
      failureOf(transport.exec('sleep 30\n', { ...plain, timeoutMs: 60_000, signal: controller.signal })),
    );
    setTimeout(() => controller.abort(), 200);
    const startedAt = performance.now();
    const errors = await Promise.all(all);
    expect(performance.now() - startedAt).toBeLessThan(2000);
    expect(new Set(errors.map((error) => error.code))).toEqual(new Set(['INTERRUPTED']));
    expect((await transport.exec('echo next\n', plain)).stdout).toBe('next\n');
  });

  it('a connection that breaks is SSH_CONNECTION_LOST for what runs and for what comes after', async () => {
    const sshd = await start();
    const transport = await connect(sshd);
    const running = failureOf(transport.exec('echo on; sleep 30\n', { ...plain, onStdout: () => sshd.cut() }));
    const error = await running;
    expect([error.code, outcomeUnknownCodes.has(error.code)]).toEqual(['SSH_CONNECTION_LOST', true]);
    expect(error.message).toContain('while a script was running');
    const later = await failureOf(transport.exec('echo\n', plain));
    expect([later.code, later.message]).toEqual([
      'SSH_CONNECTION_LOST',
      expect.stringContaining('before the script was sent'),
    ]);
    await transport.close();
  });

  it('a connection that falls silent is noticed by the keepalive', async () => {
    const sshd = await start();
    const transport = await connect(sshd, {}, { keepaliveIntervalMs: 100 });
    const error = await failureOf(transport.exec('echo on; sleep 30\n', { ...plain, onStdout: () => sshd.freeze() }));
    expect([error.code, error.message]).toEqual(['SSH_CONNECTION_LOST', expect.stringContaining('Keepalive timeout')]);
  });

  it('closing leaves no connection, also with scripts running', async () => {
    const sshd = await start();
    const transport = await connect(sshd);
    const running = failureOf(transport.exec('sleep 30\n', plain));
    await new Promise((resolve) => setTimeout(resolve, 100));
    await transport.close();
    await transport.close();
    expect((await running).code).toBe('SSH_CONNECTION_LOST');
    await expect.poll(() => sshd.openConnections).toBe(0);
  });
});

/** A folder with commands that stand for those of the host, first in the PATH. */
async function fakeCommands(commands: Record<string, string>): Promise<{ PATH: string }> {
  for (const [name, text] of Object.entries(commands)) {
    await writeFile(join(folder, name), `#!/bin/sh\n${text}\n`);
    await chmod(join(folder, name), 0o755);
  }
  return { PATH: `${folder}:${process.env['PATH'] ?? ''}` };
}

const fakeId = 'echo 1000';
/** A sudo that asks for a password, takes it from stdin, tells its arguments to a file and becomes "root". */
const fakeSudo = `
echo "$*" >> "$(dirname "$0")/sudo-calls"
ask=no
while :; do
  case "$1" in
    -n) echo 'sudo: a password is required' >&2; exit 1;;
    -S) ask=yes; shift;;
    -k) shift;;
    -p) shift 2;;
    *) break;;
  esac
done
[ "$ask" = yes ] || exit 1
read -r password
[ "$password" = 'p"w $d' ] || { echo 'Sorry, try again.' >&2; exit 1; }
FAKE_ROOT=yes exec "$@"`;

describe('becoming root', () => {
  it('needs nothing where the login is root', async () => {
    const sshd = await start({ env: await fakeCommands({ id: 'echo 0' }) });
    const transport = await connect(sshd);
    expect(transport.privilege).toBe('root');
    await transport.exec('true\n', asRoot);
    expect(sshd.commands.some((command) => command.startsWith('exec sudo'))).toBe(false);
  });

  it('uses sudo without a password where the rule allows it, and never sends one', async () => {
    const sudo =
      'echo "$*" >> "$(dirname "$0")/sudo-calls"; while [ "${1#-}" != "$1" ]; do shift; done; FAKE_ROOT=yes exec "$@"';
    const sshd = await start({ env: await fakeCommands({ id: fakeId, sudo }) });
    const transport = await connect(sshd, { sudoPassword: 'unused' });
    expect(transport.privilege).toBe('sudo');
    for (const text of ['first', 'second']) {
      const result = await transport.exec(`cat >/dev/null; echo ${text} $FAKE_ROOT\n`, asRoot);
      expect(result.stdout).toBe(`${text} yes\n`);
    }
    expect((await transport.exec('echo "[$FAKE_ROOT]"\n', plain)).stdout).toBe('[]\n');
    const calls = await readFile(join(folder, 'sudo-calls'), 'utf8');
    expect(new Set(calls.trim().split('\n'))).toEqual(new Set(['-k -n /bin/sh -s', '-n /bin/sh -s']));
  });

  it('sends the sudo password on stdin only, and only where sudo asks', async () => {
    const sshd = await start({ env: await fakeCommands({ id: fakeId, sudo: fakeSudo }) });
    const transport = await connect(sshd, { sudoPassword: 'p"w $d' });
    expect(transport.privilege).toBe('sudo-password');
    for (const text of ['first', 'second', 'third']) {
      const result = await transport.exec(`set; echo ${text}; cat\n`, asRoot);
      expect(result.stdout).toContain("FAKE_ROOT='yes'\n");
      expect(result.stdout.endsWith(`${text}\n`)).toBe(true);
      expect(result.stdout).not.toContain('p"w');
    }
    expect(sshd.commands.join('\n') + (await readFile(join(folder, 'sudo-calls'), 'utf8'))).not.toContain('p"w');
  });

  it('keeps the password out of the script where sudo stops asking meanwhile', async () => {
    const sshd = await start({ env: await fakeCommands({ id: fakeId, sudo: fakeSudo }) });
    const transport = await connect(sshd, { sudoPassword: 'p"w $d' });
    const sudo = 'while [ "${1#-}" != "$1" ]; do [ "$1" = -p ] && shift; shift; done; exec "$@"';
    await fakeCommands({ sudo });
    const result = await transport.exec('echo only this\n', asRoot);
    expect(result).toMatchObject({ exitCode: 0, stdout: 'only this\n', stderr: '' });
  });

  it.each([
    { name: 'a wrong password', sudo: fakeSudo, password: 'wrong', why: /does not accept the sudo password/ },
    { name: 'no password', sudo: fakeSudo, password: undefined, why: /asks ops for a password and none is given/ },
    {
      name: 'requiretty',
      sudo: 'echo "sudo: sorry, you must have a tty to run sudo" >&2; exit 1',
      password: 'x',
      why: /requiretty/,
    },
    {
      name: 'no rule',
      sudo: 'case "$*" in *-n*) echo "sudo: a password is required";; *) echo "ops is not in the sudoers file.";; esac >&2; exit 1',
      password: 'x',
      why: /does not allow ops/,
    },
  ])('fails with $name, but runs scripts without root', async ({ sudo, password, why }) => {
    const sshd = await start({ env: await fakeCommands({ id: fakeId, sudo }) });
    const transport = await connect(sshd, { sudoPassword: password });
    expect(transport.privilege).toBe('none');
    expect((await transport.exec('echo plain\n', plain)).stdout).toBe('plain\n');
    const error = await failureOf(transport.exec('echo\n', asRoot));
    expect([error.code, error.host, transport.trips]).toEqual(['SSH_NO_ROOT', 'n1', 1]);
    expect(error.message).toMatch(why);
    expect(error.details[0]).toBe('tried: sudo -k -n /bin/sh -s');
  });

  it('fails where there is no sudo', async () => {
    const transport = await connect(await start({ shell: () => ({}), privilege: 'none' }));
    const error = await failureOf(transport.exec('echo\n', asRoot));
    expect(error.message).toContain('the host has no sudo');
  });

  it('of an account without a shell fails while connecting, with what it printed', async () => {
    const env = await fakeCommands({ nologin: 'echo "This account is currently not available."; exit 1' });
    const sshd = await start({ env, loginShell: join(folder, 'nologin') });
    const error = await failureOf(connect(sshd));
    expect([error.code, error.details]).toEqual(['SSH_SHELL', ['This account is currently not available.']]);
    await expect.poll(() => sshd.openConnections).toBe(0);
  });
});

describe('a bastion', () => {
  it('carries the connections to several hosts over one of its own', async () => {
    const bastionSshd = await start();
    const hosts = await Promise.all([start(), start()]);
    const bastion = await connectBastion(targetOf(bastionSshd));
    cleanups.push(() => bastion.close());
    for (const sshd of hosts) {
      const sock = await bastion.openStream(targetOf(sshd));
      const transport = await connect(sshd, {}, { sock });
      expect((await transport.exec('echo through\n', plain)).stdout).toBe('through\n');
      await transport.close();
    }
    expect(bastionSshd.acceptedConnections).toBe(1);
    expect(bastionSshd.commands).toEqual([]);
  });

  it('that cannot reach a host says so under the name of the host', async () => {
    const bastion = await connectBastion(targetOf(await start()));
    cleanups.push(() => bastion.close());
    const error = await failureOf(bastion.openStream({ host: 'n7', address: '127.0.0.1', port: 1 }));
    expect([error.code, error.host]).toEqual(['SSH_UNREACHABLE', 'n7']);
  });

  it('that breaks loses the hosts behind it', async () => {
    const bastionSshd = await start();
    const sshd = await start();
    const bastion = await connectBastion(targetOf(bastionSshd));
    cleanups.push(() => bastion.close());
    const transport = await connect(sshd, {}, { sock: await bastion.openStream(targetOf(sshd)) });
    const running = failureOf(transport.exec('echo on; sleep 30\n', { ...plain, onStdout: () => bastionSshd.cut() }));
    expect((await running).code).toBe('SSH_CONNECTION_LOST');
    expect((await failureOf(bastion.openStream(targetOf(sshd)))).code).toBe('SSH_CONNECTION_LOST');
  });
});
