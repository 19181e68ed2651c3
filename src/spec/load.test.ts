import { readFileSync, readdirSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { InstallerError, exitCodes } from '../errors.ts';
import { loadClusterConfig, parseClusterConfig } from './load.ts';
import { ClusterFileError } from './problems.ts';
import type { ClusterConfig } from './schema.ts';

const fixtures = join(import.meta.dirname, '../../test/fixtures/cluster-file');
const readFixture = (name: string): string => readFileSync(join(fixtures, name), 'utf8');
const named = (prefix: string): string[] => readdirSync(fixtures).filter((name) => name.startsWith(prefix));
const parse = (text: string): ClusterConfig => parseClusterConfig(text, 'clusterConfig.yaml', '/base', '/home/me');

function errorOf(text: string): ClusterFileError {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof ClusterFileError) return error;
    throw error;
  }
  throw new Error('the text is valid');
}

describe('the cluster files of test/fixtures', () => {
  it.each(named('valid-'))('accepts %s', (name) => {
    expect(parse(readFixture(name)).spec.hosts.length).toBeGreaterThan(0);
  });

  it.each(named('invalid-'))('refuses %s with every error at its line and column', (name) => {
    const text = readFixture(name);
    const expected = [...text.matchAll(/^# expect: (.*)$/gm)].map(([, line]) => `clusterConfig.yaml:${line ?? ''}`);

    expect(errorOf(text).errors.map(({ message }) => message)).toEqual(expected);
    expect(expected).not.toEqual([]);
  });
});

describe('a valid file', () => {
  it('gets the defaults', () => {
    expect(parse(readFixture('valid-minimal.yaml'))).toMatchInlineSnapshot(`
      {
        "metadata": {
          "name": "demo",
        },
        "spec": {
          "artifacts": {
            "catalogs": [],
            "mirrors": {},
            "servers": {},
          },
          "bundle": {
            "charts": [],
            "digests": {},
            "files": [],
            "images": [],
          },
          "checks": {
            "ignore": [],
            "measure": [],
            "projectQuota": false,
            "severities": {},
            "thresholds": {
              "bandwidthMbits": 1000,
              "clockSkewMs": 1000,
              "controlPlaneMemoryMiB": 1700,
              "cpuCores": 2,
              "diskFloorGiB": 3,
              "diskFreeGiB": {
                "/": 150,
                "/opt": 30,
                "/usr/local": 3,
                "/var/lib": 50,
                "/var/lib/containerd": 100,
                "/var/lib/etcd": 10,
                "/var/lib/kubelet": 20,
              },
              "diskIops": 500,
              "diskMBs": 200,
              "fsyncMs": 10,
              "recommendedCpuCores": 4,
              "recommendedMemoryMiB": 8192,
              "resolverMs": 1000,
              "roundTripMs": 30,
              "workerCpuCores": 2,
              "workerMemoryMiB": 1700,
            },
          },
          "hostSettings": {
            "apparmor": "leave",
            "coreDumps": "leave",
            "firewall": "leave",
            "hostsFile": "manage",
            "installTools": "required",
            "journald": {},
            "limits": {},
            "manageHostname": false,
            "modules": [],
            "packageRepositories": {
              "exclusive": false,
              "repositories": [],
            },
            "packages": [],
            "removePackages": [],
            "selinux": "leave",
            "swap": "off",
            "sysctl": {},
            "unattendedUpgrades": "leave",
          },
          "hosts": [
            {
              "address": "10.0.0.11",
              "internalAddress": "10.0.0.11",
              "labels": {},
              "local": false,
              "name": "cp1",
              "roles": [
                "control-plane",
                "worker",
              ],
              "ssh": {
                "connectTimeoutSeconds": 10,
                "knownHosts": {
                  "file": "/home/me/.ssh/known_hosts",
                  "policy": "strict",
                },
                "port": 22,
                "user": "root",
              },
              "taints": [],
            },
          ],
          "kubernetes": {
            "ignorePreflightErrors": [],
            "kubeProxy": {},
            "kubelet": {},
          },
          "network": {
            "plugin": "flannel",
            "podSubnets": [
              "10.244.0.0/16",
            ],
            "serviceSubnets": [
              "10.96.0.0/12",
            ],
          },
          "osPackages": {
            "distributions": [],
          },
          "runtime": {
            "containerd": {
              "config": {},
            },
            "registries": {},
          },
          "ssh": {
            "connectTimeoutSeconds": 10,
            "knownHosts": {
              "file": "/home/me/.ssh/known_hosts",
              "policy": "strict",
            },
            "port": 22,
            "user": "root",
          },
        },
      }
    `);
  });

  it('has relative paths resolved against its folder and ~/ against the home folder', () => {
    const { ssh, hosts, runtime, artifacts } = parse(readFixture('valid-full.yaml')).spec;

    expect(ssh.keyFile).toBe('/base/keys/id_ed25519');
    expect(ssh.keyPassphrase).toEqual({ file: '/base/secrets/passphrase' });
    expect(ssh.knownHosts.file).toBe('/home/me/.ssh/known_hosts');
    expect(hosts[1]?.ssh.knownHosts.file).toBe('/home/me/worker_known_hosts');
    expect(hosts[1]?.ssh.password).toEqual({ file: '/run/secrets/worker' });
    expect(runtime.registries['docker.io']?.ca).toBe('/base/certs/ca.pem');
    expect(artifacts.catalogs).toEqual(['/base/catalogs/site.yaml']);
    expect(artifacts.servers).toEqual({
      '10.0.0.5:8080': { credentials: { token: { file: '/base/secrets/token' } } },
      'repo.example.com': {
        ca: '/base/certs/repo.pem',
        credentials: { username: 'reader', password: { env: 'REPO_PASSWORD' } },
      },
    });
  });

  it("lays a host's SSH settings over those of the cluster", () => {
    const { ssh, hosts } = parse(readFixture('valid-full.yaml')).spec;

    expect(hosts[0]?.ssh).toEqual(ssh);
    expect(hosts[1]?.ssh).toMatchObject({
      user: 'root',
      port: 2222,
      knownHosts: { policy: 'accept-new' },
      sudoPassword: { env: 'SUDO_PASSWORD' },
    });
  });

  it('takes the address as node address where it is an IP, and none where it is a name', () => {
    const config = parse(`
apiVersion: installer.io/v1alpha1
kind: ClusterConfig
metadata: { name: demo }
spec:
  hosts:
    - { name: a, address: 10.0.0.1, roles: [control-plane] }
    - { name: b, address: b.example.com, roles: [worker] }
`);

    expect(config.spec.hosts.map(({ internalAddress }) => internalAddress)).toEqual(['10.0.0.1', undefined]);
  });

  it('has the short and the long form of knownHosts mean the same', () => {
    const withKnownHosts = (value: string): unknown =>
      parse(readFixture('valid-minimal.yaml').replace('hosts:', `ssh: { knownHosts: ${value} }\n  hosts:`)).spec.ssh;

    expect(withKnownHosts('accept-new')).toEqual(withKnownHosts('{ policy: accept-new }'));
  });

  it('trims the slashes that URLs end with', () => {
    const { runtime, artifacts } = parse(readFixture('valid-full.yaml')).spec;

    expect(runtime.registries['docker.io']?.mirrors[0]).toBe('https://mirror.example.com/docker');
    expect(artifacts.mirrors['dl.k8s.io']).toBe('http://10.0.0.5:8080/dl.k8s.io');
  });
});

describe('a server of spec.artifacts', () => {
  const both = 'give username and password, or token alone';
  it.each([
    ['{ username: a }', both],
    ['{ password: { env: A } }', both],
    ['{}', both],
    ['{ username: a, password: { env: A }, token: { env: B } }', both],
    ['{ username: a, token: { env: B } }', both],
    ['{ username: "a b", password: { env: A } }', 'must be one word without ":" and control characters'],
    ['{ username: "a:b", password: { env: A } }', 'must be one word without ":" and control characters'],
    [
      '{ token: s3cret }',
      'a secret is never written in this file; name where to read it: { env: NAME } or { file: path }',
    ],
  ])('has no credentials such as %s', (credentials, reason) => {
    const text = readFixture('valid-minimal.yaml').trimEnd();
    const error = errorOf(`${text}\n  artifacts: { servers: { repo.example.com: { credentials: ${credentials} } } }\n`);

    expect(error.errors.map(({ message }) => message.replace(/^[^ ]+ [^ ]+ /, ''))).toEqual([reason]);
    expect(error.message).not.toContain('s3cret');
  });
});

describe('an invalid file', () => {
  it('is a usage error, whose parts can be read without the message', () => {
    const error = errorOf('kindd: ClusterConfig');

    expect(error.errors.map(({ code, exitCode }) => [code, exitCode])).toContainEqual([
      'CLUSTER_FILE_INVALID',
      exitCodes.usage,
    ]);
    expect(error.problems).toContainEqual({
      file: 'clusterConfig.yaml',
      line: 1,
      column: 1,
      path: 'kindd',
      reason: 'unknown key',
      nearest: 'kind',
    });
  });

  it.each([
    ['a: [1', '1:6: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]'],
    ['a:\n\tb: 1', '2:1: not valid YAML: Tabs are not allowed as indentation'],
    ['a: !secret x', '1:4: not valid YAML: Unresolved tag: !secret'],
    ['', '1:1: the file is empty'],
  ])('that is no YAML is refused at its place: %j', (text, message) => {
    expect(errorOf(text).errors[0]?.message).toBe(`clusterConfig.yaml:${message}`);
  });

  it('never shows a secret that was written in the wrong place', () => {
    const text = readFixture('valid-full.yaml')
      .replace('{ env: SUDO_PASSWORD }', 'hunter2')
      .replace('env: REGISTRY_PASSWORD', "env: 'hunter2!'")
      .replace('{ file: secrets/passphrase }', '[hunter2]');

    expect(errorOf(text).problems).toHaveLength(3);
    expect(errorOf(text).message).not.toContain('hunter2');
  });
});

describe('loadClusterConfig', () => {
  it('reads a file and resolves paths against its folder', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cluster-file-'));
    const file = join(dir, 'clusterConfig.yaml');
    await writeFile(file, readFixture('valid-full.yaml'));

    expect((await loadClusterConfig(file)).spec.ssh.keyFile).toBe(join(dir, 'keys/id_ed25519'));
  });

  it('says which file cannot be read', async () => {
    const error: unknown = await loadClusterConfig('/no/such/file.yaml').catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(InstallerError);
    expect(error).toMatchObject({ code: 'CLUSTER_FILE_UNREADABLE', exitCode: exitCodes.usage });
    expect((error as Error).message).toContain('/no/such/file.yaml');
  });
});

describe('a bastion', () => {
  const bastionOf = (ssh: string): unknown =>
    parse(`apiVersion: installer.io/v1alpha1
kind: ClusterConfig
metadata: { name: prod }
spec:
  ssh: ${ssh}
  hosts: [{ name: cp1, address: 10.0.0.11, roles: [control-plane] }]
`).spec.hosts[0]?.ssh.bastion;

  it('takes user, key and known hosts from beside it, and never port, password or sudo', () => {
    expect(
      bastionOf(
        '{ user: ops, port: 2222, keyFile: key, password: { env: P }, sudoPassword: { env: S }, bastion: { address: b.example.com } }',
      ),
    ).toEqual({
      address: 'b.example.com',
      port: 22,
      user: 'ops',
      keyFile: '/base/key',
      knownHosts: { policy: 'strict', file: '/home/me/.ssh/known_hosts' },
      connectTimeoutSeconds: 10,
    });
  });

  it('has its own where it names them', () => {
    expect(
      bastionOf(
        '{ keyFile: key, keyPassphrase: { env: K }, bastion: { address: b, user: jump, port: 23, keyFile: other } }',
      ),
    ).toMatchObject({ user: 'jump', port: 23, keyFile: '/base/other' });
    expect(
      bastionOf('{ keyPassphrase: { env: K }, keyFile: a, bastion: { address: b, keyFile: c } }'),
    ).not.toHaveProperty('keyPassphrase');
  });
});
