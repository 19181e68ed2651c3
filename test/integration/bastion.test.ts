import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InstallerError } from '../../src/errors.ts';
import { createBastions, type Bastions } from '../../src/hosts/bastions.ts';
import { connectHost } from '../../src/hosts/connect.ts';
import { parseClusterConfig } from '../../src/spec/load.ts';
import type { HostConfig } from '../../src/spec/schema.ts';
import { createKeyLoader } from '../../src/transport/ssh-keys.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { generateKey, type Sshd } from '../support/sshd.ts';
import { startSshdForTest } from '../support/started-sshd.ts';

const hostKey = generateKey();
const bastionKey = generateKey();
const cleanups: (() => Promise<unknown>)[] = [];
let folder: string;
let bastions: Bastions;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'installer-bastion-'));
  await writeFile(join(folder, 'host'), hostKey.privateKey, { mode: 0o600 });
  await writeFile(join(folder, 'bastion'), bastionKey.privateKey, { mode: 0o600 });
  bastions = createBastions();
});

afterEach(async () => {
  await bastions.close();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await rm(folder, { recursive: true, force: true });
});

/** Forwards only: a session is refused, as on a bastion whose accounts have no shell. */
const startBastion = (): Promise<Sshd> =>
  startSshdForTest({ users: { jump: { publicKeys: [bastionKey] } }, shell: 'real', maxSessions: 0 });

const startHost = (name: string): Promise<Sshd> =>
  startSshdForTest({ users: { ops: { publicKeys: [hostKey] } }, shell: () => ({ stdout: `${name}\n` }) });

/** Hosts as a cluster file has them; `ports` are those of their SSH servers. */
function hostsOf(bastionPort: number, ports: readonly number[], bastionUser = 'jump'): readonly HostConfig[] {
  const text = `apiVersion: installer.io/v1alpha1
kind: ClusterConfig
metadata: { name: prod }
spec:
  ssh:
    user: ops
    keyFile: host
    knownHosts: { policy: accept-new, file: known }
    bastion: { address: 127.0.0.1, port: ${bastionPort}, user: ${bastionUser}, keyFile: bastion }
  hosts:
${ports.map((port, index) => `    - { name: h${index}, address: 127.0.0.1, internalAddress: 10.0.0.${index + 1}, roles: [${index === 0 ? 'control-plane' : 'worker'}], ssh: { port: ${port}, connectTimeoutSeconds: 2 } }`).join('\n')}
`;
  return parseClusterConfig(text, 'prod.yaml', folder).spec.hosts;
}

async function connect(config: HostConfig): Promise<Transport> {
  const transport = await connectHost(config, {
    signal: new AbortController().signal,
    onWarning: () => undefined,
    addSecret: () => undefined,
    keys: createKeyLoader(),
    bastions,
  });
  cleanups.push(() => transport.close());
  return transport;
}

async function failureOf(config: HostConfig | undefined): Promise<InstallerError> {
  const result = config === undefined ? undefined : await connect(config).catch((error: unknown) => error);
  if (!(result instanceof InstallerError)) throw new Error('expected an InstallerError', { cause: result });
  return result;
}

describe('hosts behind a bastion', () => {
  it('are reached through one connection to it', async () => {
    const bastion = await startBastion();
    const hosts = await Promise.all(Array.from({ length: 40 }, (_, index) => startHost(`h${index}`)));
    const configs = hostsOf(
      bastion.port,
      hosts.map(({ port }) => port),
    );

    const transports = await Promise.all(configs.map(connect));
    const answers = await Promise.all(transports.map((one) => one.exec('hostname\n', { root: true, timeoutMs: 5000 })));

    expect(answers.map(({ stdout }) => stdout.trim())).toEqual(configs.map(({ name }) => name));
    expect(bastion.acceptedConnections).toBe(1);
    expect(bastion.commands).toEqual([]);
  });

  it('are reached again through a new connection after it was lost', async () => {
    const bastion = await startBastion();
    const host = await startHost('h0');
    const [config] = hostsOf(bastion.port, [host.port]);
    if (config === undefined) throw new Error('no host');
    await connect(config);
    bastion.cut();
    await expect.poll(() => bastion.openConnections).toBe(0);

    await expect
      .poll(() => connect(config).then(({ description }) => description), { timeout: 5000 })
      .toContain('ops@');
    expect(bastion.acceptedConnections).toBe(2);
  });

  it('fail each with their own name where it cannot be reached', async () => {
    const bastion = await startBastion();
    await bastion.stop();
    const [first, second] = hostsOf(bastion.port, [1, 2]);
    const errors = await Promise.all([failureOf(first), failureOf(second)]);

    expect(errors.map(({ code, host }) => [code, host])).toEqual([
      ['SSH_BASTION', 'h0'],
      ['SSH_BASTION', 'h1'],
    ]);
    expect(errors[0].message).toContain(`h0 is reached through the bastion jump@127.0.0.1:${bastion.port}`);
    expect(errors[0].message).toContain('refuses the connection');
  });

  it('fail where it rejects the login, and say what was tried', async () => {
    const bastion = await startBastion();
    const error = await failureOf(hostsOf(bastion.port, [1], 'nobody')[0]);

    expect([error.code, error.details[0]]).toEqual(['SSH_BASTION', expect.stringContaining('tried: key ')]);
    expect(error.message).toContain('rejects the login');
  });

  it('fail by themselves where nothing listens behind it', async () => {
    const bastion = await startBastion();
    const host = await startHost('h0');
    await host.stop();
    const error = await failureOf(hostsOf(bastion.port, [host.port])[0]);

    expect([error.code, error.host]).toEqual(['SSH_UNREACHABLE', 'h0']);
    expect(error.message).toContain(`the bastion jump@127.0.0.1:${bastion.port} does not reach 127.0.0.1:${host.port}`);
  });

  it('fail by themselves where they reject the login', async () => {
    const bastion = await startBastion();
    const host = await startSshdForTest({ users: { ops: { publicKeys: [generateKey()] } }, shell: 'real' });
    const error = await failureOf(hostsOf(bastion.port, [host.port])[0]);

    expect([error.code, error.host]).toEqual(['SSH_AUTH_FAILED', 'h0']);
  });
});
