import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { testCluster, testConfig } from '../../test/support/cluster.ts';
import { createFakeHost } from '../../test/support/fake-host.ts';
import { createTestContext, type TestContext } from '../../test/support/run-context.ts';
import type { PlannedChange } from '../report/events.ts';
import { removeKubeconfig } from './remove-kubeconfig.ts';
import { writeKubeconfig } from './write-kubeconfig.ts';

const adminConf = `apiVersion: v1
kind: Config
clusters:
- cluster: { certificate-authority-data: Q0E=, server: "https://10.0.0.11:6443" }
  name: prod
contexts:
- context: { cluster: prod, user: kubernetes-admin }
  name: kubernetes-admin@prod
current-context: kubernetes-admin@prod
users:
- name: kubernetes-admin
  user: { client-certificate-data: Q0VSVA==, client-key-data: S0VZLURBVEE= }
`;

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'installer-kubeconfig-'));
  path = join(folder, 'prod.kubeconfig');
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function run(
  content = adminConf,
  { spec = '', hosts }: { spec?: string; hosts?: string } = {},
  context: TestContext = createTestContext(),
): Promise<readonly PlannedChange[]> {
  const host = createFakeHost('cp1', { files: { '/etc/kubernetes/admin.conf': content } });
  const cluster = testCluster({ config: testConfig(spec, hosts), hosts: { cp1: host } });
  return writeKubeconfig(path).run(cluster, context, { changed: 0 });
}

function serverOf(): string {
  const { clusters } = parse(readFileSync(path, 'utf8')) as { clusters: { cluster: { server: string } }[] };
  return clusters[0]?.cluster.server ?? '';
}

describe('writeKubeconfig', () => {
  it('writes the file of the administrator for its user alone', async () => {
    expect(await run()).toEqual([{ summary: `write ${path}` }]);

    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(parse(readFileSync(path, 'utf8'))).toEqual(parse(adminConf));
    expect(existsSync(`${path}.before`)).toBe(false);
    expect(existsSync(`${path}.new`)).toBe(false);
  });

  it('writes nothing the second time', async () => {
    await run();
    const before = statSync(path).ino;

    expect(await run()).toEqual([]);
    expect(statSync(path).ino).toBe(before);
  });

  it('keeps the file that was there, for its user alone', async () => {
    writeFileSync(path, 'mine', { mode: 0o644 });

    expect(await run()).toEqual([{ summary: `write ${path} (the one before is ${path}.before)` }]);
    expect(readFileSync(`${path}.before`, 'utf8')).toBe('mine');
    expect([path, `${path}.before`].map((file) => statSync(file).mode & 0o777)).toEqual([0o600, 0o600]);
  });

  it.each([
    ['the address by which this machine reaches the control plane', {}, 'https://10.0.0.11:6443'],
    [
      'the endpoint of the cluster file',
      { spec: '  kubernetes: { controlPlaneEndpoint: "api.example.com:8443" }\n' },
      'https://api.example.com:8443',
    ],
    [
      'a name',
      { hosts: '    - { name: cp1, address: cp1.example.com, internalAddress: 10.0.0.11, roles: [control-plane] }\n' },
      'https://cp1.example.com:6443',
    ],
    [
      'its own node address on the control plane itself',
      {
        hosts:
          '    - { name: cp1, address: cp1.example.com, internalAddress: 10.0.0.11, local: true, roles: [control-plane] }\n',
      },
      'https://10.0.0.11:6443',
    ],
  ])('names as server %s', async (_name, given, expected) => {
    await run(adminConf, given);

    expect(serverOf()).toBe(expected);
  });

  it('keeps the key out of all events', async () => {
    const context = createTestContext();
    await run(adminConf, {}, context);

    context.emitter.emit({ type: 'log', level: 'info', message: 'key S0VZLURBVEE= end' });

    expect(context.of('log')).toMatchObject([{ message: 'key [redacted] end' }]);
  });

  it('fails where there is no such file on the control plane', async () => {
    const host = createFakeHost('cp1');

    await expect(
      writeKubeconfig(path).run(testCluster({ hosts: { cp1: host } }), createTestContext(), { changed: 0 }),
    ).rejects.toMatchObject({ code: 'KUBECONFIG_UNREADABLE', host: 'cp1' });
    expect(existsSync(path)).toBe(false);
  });
});

describe('removeKubeconfig', () => {
  it('removes the file, and minds nothing that is absent', async () => {
    writeFileSync(path, 'x');
    const phase = removeKubeconfig(path);
    const [cluster, context] = [testCluster(), createTestContext()];

    expect(await phase.run(cluster, context, { changed: 0 })).toEqual([{ summary: `remove ${path}` }]);
    expect(await phase.run(cluster, context, { changed: 0 })).toEqual([]);
    expect(existsSync(path)).toBe(false);
  });
});
