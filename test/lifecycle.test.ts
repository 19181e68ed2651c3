import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Phase } from '../src/engine/phase.ts';
import { runWorkflow, type RunResult } from '../src/engine/runner.ts';
import { InstallerError } from '../src/errors.ts';
import type { Facts } from '../src/hosts/facts.ts';
import type { Cluster } from '../src/kubernetes/cluster.ts';
import { configureComponents } from '../src/phases/configure-components.ts';
import { completeImages, distributeImages, pullInitImages } from '../src/phases/distribute-images.ts';
import { initControlPlane } from '../src/phases/init-control-plane.ts';
import { installCni } from '../src/phases/install-cni.ts';
import { installKubernetes } from '../src/phases/install-kubernetes.ts';
import { installRuntime } from '../src/phases/install-runtime.ts';
import { joinWorkers } from '../src/phases/join-workers.ts';
import { labelNodes } from '../src/phases/label-nodes.ts';
import { prepareHosts } from '../src/phases/prepare-hosts.ts';
import { resetControlPlanes, resetWorkers } from '../src/phases/reset-hosts.ts';
import { restoreHosts } from '../src/phases/restore-hosts.ts';
import { returnPackages } from '../src/phases/return-packages.ts';
import { writeKubeconfig } from '../src/phases/write-kubeconfig.ts';
import { testCluster, testConfig } from './support/cluster.ts';
import { createFakeCluster, type FakeCluster } from './support/fake-cluster.ts';
import type { ApplyFault } from './support/fake-host.ts';
import { createTestContext, type TestContext } from './support/run-context.ts';

const hostsYaml = `    - { name: cp1, address: 10.0.0.11, roles: [control-plane] }
    - { name: w1, address: 10.0.0.21, roles: [worker], labels: { disk: ssd }, taints: ["gpu:NoSchedule"] }
    - { name: w2, address: 10.0.0.22, roles: [worker] }
`;

let folder: string;
let fake: FakeCluster;
/** Spec of the cluster file beside its hosts. */
let spec: string;
/** Of every host before ours is laid over it. */
let found: Partial<Facts>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'installer-lifecycle-'));
  spec = '';
  found = {};
  fake = createFakeCluster(['cp1', 'w1', 'w2'], testCluster().versions?.images.pause ?? '');
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** The cluster as a new run sees it: the phases up to the prechecks have looked at the hosts. */
function seenAnew(): Cluster {
  for (const host of Object.values(fake.hosts)) host.forget();
  const identity = { clusterId: 'c1', clusterName: 'prod' };
  const facts = Object.fromEntries(
    Object.values(fake.hosts).map(({ name, files, artifacts }) => [
      name,
      {
        ...found,
        ...(files.has('/var/lib/installer/cluster.json') ? { identity } : {}),
        ...(artifacts.has('containerd')
          ? { containerd: { version: '2.1.4', path: '/usr/local/bin/containerd', isOurs: true } }
          : {}),
      },
    ]),
  );
  return testCluster({ config: testConfig(spec, hostsYaml), hosts: fake.hosts, facts });
}

function run(phases: readonly Phase<Cluster>[], context: TestContext): Promise<RunResult> {
  const cluster = seenAnew();
  return runWorkflow({
    workflow: { name: 'test', phases },
    state: cluster,
    context: {
      ...context,
      secrets: cluster.secrets,
      setSecret: (name, value) => (context.emitter.addSecret(value), void cluster.secrets.set(name, value)),
    },
    version: '0',
    clusterName: 'prod',
    hostNames: Object.keys(fake.hosts),
    skipPhases: [],
    trips: () => ({}),
    next: () => [],
  });
}

function create(context = createTestContext()): Promise<RunResult> {
  return run(
    [
      prepareHosts,
      installRuntime,
      installKubernetes,
      pullInitImages,
      distributeImages,
      initControlPlane(context.runId),
      installCni,
      completeImages,
      joinWorkers(context.runId),
      configureComponents,
      labelNodes,
      writeKubeconfig(join(folder, 'prod.kubeconfig')),
    ],
    context,
  );
}

function reset(context = createTestContext()): Promise<RunResult> {
  return run([resetWorkers, resetControlPlanes, restoreHosts, returnPackages], context);
}

/** Everything on the hosts and in the cluster, for a comparison. */
function everything(): unknown {
  const hosts = Object.values(fake.hosts).map(({ files, artifacts }) => [[...files].sort(), [...artifacts].sort()]);
  return structuredClone([hosts, [...fake.nodes], [...fake.configMaps], fake.manifest]);
}

/** Lines of what was done on a host that match. */
function doneOn(name: string, pattern: RegExp): string[] {
  return (fake.hosts[name]?.done ?? []).filter((line) => pattern.test(line));
}

/** The host does all of it, and the connection is lost where kubeadm makes a node. */
const loseKubeadm: ApplyFault = ({ actions }, perform) => {
  const result = perform();
  const isKubeadm = actions.some((action) => action.kind === 'long' && action.unit.includes('kubeadm'));
  if (isKubeadm) throw new InstallerError({ code: 'SSH_CONNECTION_LOST', message: 'lost' });
  return result;
};

describe('the phases of cluster-create', () => {
  it('make a cluster of bare hosts, with one kubeadm init and one join for each worker', async () => {
    const result = await create();

    expect(result).toMatchObject({ status: 'ok', errors: [] });
    expect([...fake.nodes.keys()].sort()).toEqual(['cp1', 'w1', 'w2']);
    expect(doneOn('cp1', /kubeadm (init|join|reset)/)).toHaveLength(1);
    expect(doneOn('w1', /kubeadm (init|join|reset)/)).toHaveLength(1);
    expect(fake.nodes.get('cp1')?.taints).toEqual([
      { key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' },
    ]);
    expect(fake.nodes.get('w1')).toEqual({
      labels: { 'node-role.kubernetes.io/worker': '', disk: 'ssd' },
      taints: [{ key: 'gpu', effect: 'NoSchedule' }],
    });
    expect(fake.hosts['w2']?.text('/etc/hosts')).toContain('10.0.0.11 cp1\n10.0.0.21 w1\n10.0.0.22 w2\n');
    expect(fake.hosts['w2']?.text('/etc/fstab')).toContain('#installer-swap# /swap.img');
    expect(fake.hosts['w2']?.text('/proc/sys/fs/inotify/max_user_watches')).toBe('999999\n');
  });

  it('apply nothing the second time', async () => {
    await create();
    const before = everything();
    const context = createTestContext();

    const result = await create(context);

    expect(result).toMatchObject({ status: 'ok', changes: 0, errors: [] });
    expect(context.of('step.planned')).toEqual([]);
    expect(everything()).toEqual(before);
  });

  it('plan all of it on a dry run, and change nothing', async () => {
    const before = everything();
    const context = createTestContext({ dryRun: true });

    const result = await create(context);

    expect(result).toMatchObject({ status: 'ok', errors: [] });
    expect(
      context
        .of('phase.finished')
        .filter(({ status }) => status === 'planned')
        .map(({ phase }) => phase),
    ).toEqual(
      expect.arrayContaining([
        'prepare-hosts',
        'install-runtime',
        'install-kubernetes',
        'init-control-plane',
        'join-workers',
      ]),
    );
    expect(everything()).toEqual(before);
  });

  it('go on from wherever an earlier run was cut off', async () => {
    await create();
    const whole = everything();
    for (let cut = 0; cut < 6; cut += 1) {
      fake = createFakeCluster(['cp1', 'w1', 'w2'], testCluster().versions?.images.pause ?? '');
      for (const host of Object.values(fake.hosts)) {
        for (let index = 0; index < cut; index += 1) host.faults.push((_, perform) => perform());
        host.faults.push(() => ({ status: 'failed', failed: { index: 0, exitCode: 1, output: 'cut' } }));
      }
      const first = await create();
      for (const host of Object.values(fake.hosts)) host.faults.length = 0;

      expect(await create()).toMatchObject({ status: 'ok', errors: [] });
      expect([cut, everything()]).toEqual([cut, whole]);
      if (cut < 4) expect(first.status).not.toBe('ok');
    }
  });

  it('repeat nothing where the connection was lost while kubeadm ran', async () => {
    for (const host of Object.values(fake.hosts)) host.faults.push(...Array.from({ length: 9 }, () => loseKubeadm));

    const result = await create();

    expect(result).toMatchObject({ status: 'ok', errors: [] });
    for (const name of ['cp1', 'w1', 'w2']) expect(doneOn(name, /kubeadm (init|join|reset)/)).toHaveLength(1);
  });

  it('keep the token out of events and files', async () => {
    const context = createTestContext();

    await create(context);

    expect(JSON.stringify(context.events)).not.toContain(fake.token);
    expect(JSON.stringify(everything())).not.toContain(fake.token);
  });

  it('bring settings that were changed later to where they count', async () => {
    await create();
    spec = '  kubernetes: { kubelet: { maxPods: 200 } }\n';
    const context = createTestContext();

    const result = await create(context);

    expect(result).toMatchObject({ status: 'ok', errors: [] });
    expect(fake.hosts['w2']?.text('/var/lib/kubelet/config.yaml')).toContain('maxPods: 200');
    expect(fake.configMaps.get('kubelet-config')?.['kubelet']).toContain('maxPods: 200');
    expect(doneOn('cp1', /kubeadm (init|reset)/)).toHaveLength(1);
    expect(await create()).toMatchObject({ changes: 0 });
  });

  it('refuse settings that a running cluster cannot change', async () => {
    await create();
    spec = '  network: { podSubnets: [10.50.0.0/16] }\n';

    expect((await create()).errors[0]).toMatchObject({ code: 'SETTING_FIXED', host: 'cp1' });
  });
});

describe('the phases of reset', () => {
  it('give the hosts back as they were, and the second time do nothing', async () => {
    const names = ['/etc/hosts', '/etc/fstab'];
    const before = names.map((path) => fake.hosts['w1']?.text(path));
    await create();

    expect(await reset()).toMatchObject({ status: 'ok', errors: [] });

    for (const host of Object.values(fake.hosts)) {
      expect(names.map((path) => host.text(path))).toEqual(before);
      expect([...host.files.keys()].filter((path) => !path.startsWith('/proc/')).sort()).toEqual([
        '/etc/fstab',
        '/etc/hosts',
      ]);
      expect([...host.artifacts]).toEqual([]);
    }
    expect(await reset()).toMatchObject({ status: 'ok', changes: 0 });
  });

  it('bring a containerd back that was removed for the one of the cluster', async () => {
    spec = '  hostSettings: { removePackages: [containerd] }\n';
    const path = '/usr/bin/containerd';
    found = {
      tools: new Set([
        'apt-get',
        'containerd',
        'tar',
        'ip',
        'iptables',
        'modprobe',
        'sysctl',
        'xargs',
        'diff',
        'ss',
        'curl',
      ]),
      toolPackages: new Map([['containerd', 'containerd']]),
      containerd: { version: '2.0.5', path, isOurs: false },
    };
    for (const host of Object.values(fake.hosts)) {
      const { packages } = host;
      packages.add('containerd');
      host.on('/bin/sh -c f=$(dpkg-query', () => (packages.has('containerd') ? 'there=containerd 1\n' : ''));
      host.on('dpkg --remove containerd', () => (packages.delete('containerd'), ''));
      host.on('apt-get', () => (packages.add('containerd'), ''));
    }

    expect(await create()).toMatchObject({ status: 'ok', errors: [] });
    for (const { packages, artifacts } of Object.values(fake.hosts))
      expect([packages.has('containerd'), artifacts.has('containerd')]).toEqual([false, true]);
    expect(await create()).toMatchObject({ changes: 0 });
    expect(await reset()).toMatchObject({ status: 'ok', errors: [] });

    for (const { packages, artifacts, record } of Object.values(fake.hosts))
      expect([packages.has('containerd'), artifacts.has('containerd'), record.ids()]).toEqual([true, false, []]);
  });

  it('touch nothing on hosts that are in no cluster', async () => {
    const before = everything();

    expect(await reset()).toMatchObject({ status: 'ok', changes: 0 });
    expect(everything()).toEqual(before);
  });

  it('leave room for the same cluster anew', async () => {
    await create();
    await reset();
    fake.nodes.clear();
    fake.configMaps.clear();
    fake.manifest = '';

    expect(await create()).toMatchObject({ status: 'ok', errors: [] });
    expect([...fake.nodes.keys()].sort()).toEqual(['cp1', 'w1', 'w2']);
  });
});
