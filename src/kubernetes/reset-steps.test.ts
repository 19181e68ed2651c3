import { describe, expect, it } from 'vitest';
import { createFakeHost } from '../../test/support/fake-host.ts';
import { changesOn, converge, planOn } from '../../test/support/steps.ts';
import {
  removeArtifactStep,
  removeInterfacesStep,
  removeKubernetesStep,
  removeRulesStep,
  stopServiceStep,
} from './reset-steps.ts';

describe('removeKubernetesStep', () => {
  const step = removeKubernetesStep('installer-c1-remove-kubernetes');
  const files = {
    '/etc/kubernetes/admin.conf': 'x',
    '/var/lib/kubelet/config.yaml': 'x',
    '/etc/cni/net.d/10-flannel.conflist': 'x',
  };

  it('takes Kubernetes away while kubelet is there to help, and then wants nothing more', async () => {
    const host = createFakeHost('n1', {
      files: { ...files, '/etc/hosts': 'kept' },
      services: { 'kubelet.service': { activeState: 'active' } },
    });
    host.on('/bin/sh -c systemctl stop kubelet', () => (host.systemctl('stop', 'kubelet.service'), ''));
    host.on('systemctl stop kubepods.slice', { exitCode: 5 });

    expect(await converge(host, step)).toEqual([
      'take Kubernetes away: /etc/kubernetes, /var/lib/kubelet, /etc/cni/net.d, /etc/cni',
    ]);
    expect([...host.files.keys()]).toEqual(['/etc/hosts']);
    expect(host.done[0]).toContain('rmp --force --all');
  });

  it('does nothing on a host without Kubernetes', async () => {
    expect(await converge(createFakeHost('n1', { services: { 'kubelet.service': {} } }), step)).toEqual([]);
  });

  it('waits for the removal that an earlier run started', async () => {
    const host = createFakeHost('n1', {
      services: { 'installer-c1-remove-kubernetes.service': { subState: 'running' } },
    });

    expect((await changesOn(host, step))[0]?.actions[0]).toMatchObject({ kind: 'long', attachOnly: true });
  });
});

describe('stopServiceStep', () => {
  const step = stopServiceStep('a.service', ['/var/lib/a'], [{ kind: 'unmount', prefixes: ['/var/lib/a/'] }]);
  const files = { '/etc/systemd/system/a.service': 'x', '/var/lib/a/data': 'x' };

  it('stops and disables the service and takes its folders away; its files are left to the record', async () => {
    const host = createFakeHost('n1', {
      files,
      services: { 'a.service': { activeState: 'active', unitFileState: 'enabled' } },
    });
    host.on('systemctl stop a.service', () => (host.systemctl('stop', 'a.service'), ''));
    host.on(/^systemctl (kill|reset-failed)/, { exitCode: 1 });

    expect(await converge(host, step)).toEqual(['stop a.service, and take /var/lib/a away']);
    expect([...host.files.keys()].filter((path) => !path.startsWith('/var/lib/installer'))).toEqual([
      '/etc/systemd/system/a.service',
    ]);
    expect(host.done.slice(0, 3)).toEqual([
      'record a.service',
      'systemctl disable a.service',
      'systemctl stop a.service',
    ]);
  });

  it('takes the folders of a unit away that systemd does not know', async () => {
    const host = createFakeHost('n1', { files });

    await converge(host, step);

    expect([...host.files.keys()]).toEqual(['/etc/systemd/system/a.service']);
  });

  it('does nothing where it is stopped and disabled and has nothing', async () => {
    expect(await converge(createFakeHost('n1', { services: { 'a.service': {} } }), step)).toEqual([]);
  });

  it('does nothing where systemd does not answer', async () => {
    const host = createFakeHost('n1', { files });
    host.unreadable.set('a.service', 'no bus');

    expect(await planOn(host, step)).toMatchObject({ kind: 'blocked', code: 'SERVICE_UNKNOWN' });
  });
});

describe('removeArtifactStep', () => {
  const step = removeArtifactStep('crictl');
  const record = { sourceSha256: 'a', version: '1.36.0', files: ['/usr/local/bin/crictl'], altered: [] };

  it('removes the files of the record and the record itself', async () => {
    const host = createFakeHost('n1', {
      artifacts: { crictl: record },
      files: { '/usr/local/bin/crictl': 'x', '/usr/local/bin/mine': 'x' },
    });

    expect(await converge(host, step)).toEqual(['remove crictl 1.36.0 (1 file)']);
    expect([...host.files.keys()]).toEqual(['/usr/local/bin/mine']);
  });

  it('leaves what was there before to the record, keeps what was changed since, and takes along what a pod laid down', async () => {
    const files = ['/opt/cni/bin/a', '/opt/cni/bin/b', '/opt/cni/bin/c'];
    const host = createFakeHost('n1', {
      artifacts: { crictl: { ...record, files, altered: ['/opt/cni/bin/c'] } },
      files: {
        ...Object.fromEntries(files.map((path) => [path, 'x'])),
        '/opt/cni/bin/pods': 'x',
        '/opt/cni/bin/mine': 'x',
        '/var/lib/installer/artifacts/crictl/laid': '/opt/cni/bin/b\n/opt/cni/bin/c\n/opt/cni/bin/pods\n',
        '/var/lib/installer/artifacts/crictl/kept': '/opt/cni/bin/a\n',
      },
    });

    expect(await converge(host, removeArtifactStep('crictl', { files: ['/opt/cni/bin/pods'], folders: [] }))).toEqual([
      'remove crictl 1.36.0 (2 files); keep /opt/cni/bin/c: changed since, or gone',
    ]);
    expect([...host.files.keys()]).toEqual(['/opt/cni/bin/a', '/opt/cni/bin/c', '/opt/cni/bin/mine']);
  });

  it('removes the files of a run that was cut off while it laid them down', async () => {
    const host = createFakeHost('n1', {
      files: { '/usr/local/bin/crictl': 'x', '/var/lib/installer/artifacts/crictl/laid': '/usr/local/bin/crictl\n' },
    });

    expect(await converge(host, step)).toEqual(['remove crictl (1 file)']);
    expect([...host.files.keys()]).toEqual([]);
  });

  it('removes nothing that has no record', async () => {
    expect(await converge(createFakeHost('n1', { files: { '/usr/local/bin/crictl': 'x' } }), step)).toEqual([]);
  });

  it('removes nothing where the record cannot be read', async () => {
    const host = createFakeHost('n1', { artifacts: { crictl: record } });
    host.unreadable.set('crictl', 'EIO');

    expect(await planOn(host, step)).toMatchObject({ kind: 'blocked', code: 'RECORD_UNREADABLE' });
  });
});

describe('removeInterfacesStep', () => {
  it('removes the interfaces of the network plugin, and no others', async () => {
    const host = createFakeHost('n1', {
      files: {
        '/sys/class/net/cni0/mtu': '1450',
        '/sys/class/net/flannel.1/mtu': '1450',
        '/sys/class/net/eth0/mtu': '1500',
      },
    });
    host.on('ip link delete', ([, , , name = '']) => (host.files.delete(`/sys/class/net/${name}/mtu`), ''));

    expect(await converge(host, removeInterfacesStep())).toEqual(['remove interfaces cni0, flannel.1']);
    expect([...host.files.keys()]).toEqual(['/sys/class/net/eth0/mtu']);
    expect(await converge(host, removeInterfacesStep())).toEqual([]);
  });

  it('removes those too that come while kubelet still runs', async () => {
    const host = createFakeHost('n1', { services: { 'kubelet.service': { activeState: 'active' } } });

    const [change] = await changesOn(host, removeInterfacesStep());

    expect(change?.summary).toBe('remove interfaces of pods');
    expect(change?.actions).toContainEqual(
      expect.objectContaining({ argv: ['ip', 'link', 'delete', 'flannel.1'], okExitCodes: [0, 1] }),
    );
  });
});

describe('removeRulesStep', () => {
  const own = '*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j ACCEPT\nCOMMIT\n';

  it('loads the rules without the chains of Kubernetes', async () => {
    const host = createFakeHost('n1');
    let rules = own.replace('-A INPUT', ':KUBE-FORWARD - [0:0]\n-A INPUT -j KUBE-FORWARD\n-A INPUT');
    host.on('iptables-save', () => rules);
    host.on('iptables-restore', (_, stdin) => ((rules = stdin), ''));

    expect(await converge(host, removeRulesStep('iptables'))).toEqual(['remove the iptables chains of Kubernetes']);
    expect(rules).toBe(own);
  });

  it.each([
    ['there is no ip6tables', 'absent' as const],
    ['the rules cannot be read', { exitCode: 1 }],
    ['nothing is of Kubernetes', own],
  ])('does nothing where %s', async (_name, answer) => {
    const host = createFakeHost('n1');
    host.on('ip6tables-save', answer);

    expect(await converge(host, removeRulesStep('ip6tables'))).toEqual([]);
  });
});
