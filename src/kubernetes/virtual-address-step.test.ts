import { describe, expect, it } from 'vitest';
import { createFakeHost, type FakeHost } from '../../test/support/fake-host.ts';
import { changesOn, converge, planOn } from '../../test/support/steps.ts';
import { virtualAddressPath, virtualAddressStep, virtualAddressUnit } from './virtual-address-step.ts';

const held = { address: '10.0.0.100', interface: 'eth0' };
const endpoint = '10.0.0.100:6443';
const step = virtualAddressStep({ held, endpoint });
const none = virtualAddressStep({ held: undefined, endpoint: '10.0.0.11:6443' });
const made = {
  '/etc/kubernetes/manifests/kube-apiserver.yaml': 'x',
  '/etc/kubernetes/kubeadm-init.yaml': `kind: ClusterConfiguration\ncontrolPlaneEndpoint: ${endpoint}\n`,
};

/** The addresses of eth0 follow the unit, as `lost` lets them. */
function hostWith(files: Readonly<Record<string, string>> = {}, lost: readonly string[] = []): FakeHost {
  const host = createFakeHost('cp1', { files });
  host.on('ip -o -4 addr show', () => {
    const isOn = host.services.get(virtualAddressUnit)?.activeState === 'active';
    const [, address = '', name = ''] = /replace (\S+)\/32 dev (\w+);/.exec(host.text(virtualAddressPath) ?? '') ?? [];
    const own = '2: eth0    inet 10.0.0.11/24 brd 10.0.0.255 scope global eth0\n';
    return isOn && !lost.includes(address) ? `${own}2: ${name}    inet ${address}/32 scope global ${name}\n` : own;
  });
  return host;
}

describe('virtualAddressStep', () => {
  it('holds the address by a unit in front of kubelet, and then wants nothing more', async () => {
    const host = hostWith();

    expect(await converge(host, step)).toEqual(['hold the address 10.0.0.100 of the API server on eth0']);
    expect(host.text(virtualAddressPath)).toContain('Before=kubelet.service');
    expect(host.services.get(virtualAddressUnit)).toMatchObject({ activeState: 'active', unitFileState: 'enabled' });
    expect(host.done).toEqual([
      `record ${virtualAddressUnit}`,
      `write ${virtualAddressPath} (644)`,
      'systemctl daemon-reload',
      `systemctl enable ${virtualAddressUnit}`,
      `systemctl restart ${virtualAddressUnit}`,
    ]);
  });

  it.each<[string, (host: FakeHost) => void]>([
    ['was switched off', (host) => host.systemctl('disable', virtualAddressUnit)],
    ['was stopped', (host) => host.systemctl('stop', virtualAddressUnit)],
    ['was changed', (host) => host.write(virtualAddressPath, 'ExecStart=ip address replace 10.0.0.99/32 dev eth1;')],
    [
      'cannot be executed by others',
      (host) => host.write(virtualAddressPath, host.text(virtualAddressPath) ?? '', { mode: '600' }),
    ],
  ])('brings the unit back that %s', async (_name, change) => {
    const host = hostWith();
    await converge(host, step);

    change(host);

    expect(await converge(host, step)).toHaveLength(1);
    expect(host.text(virtualAddressPath)).toContain('replace 10.0.0.100/32 dev eth0;');
  });

  it('brings an address back that somebody took off behind the back of systemd', async () => {
    const host = hostWith();
    await converge(host, step);
    host.on('ip -o -4 addr show', '2: eth0    inet 10.0.0.11/24 scope global eth0\n');

    expect((await changesOn(host, step)).map(({ summary }) => summary)).toEqual([
      'hold the address 10.0.0.100 of the API server on eth0: it was taken off',
    ]);
  });

  it('moves to another interface by the unit as it was', async () => {
    const host = hostWith(made);
    await converge(host, step);

    await converge(host, virtualAddressStep({ held: { ...held, interface: 'eth1' }, endpoint }));

    expect(host.done.filter((line) => line.includes('stop'))).toEqual([`systemctl stop ${virtualAddressUnit}`]);
  });

  it('does nothing where the file names no address and none was held', async () => {
    expect(await converge(hostWith(), none)).toEqual([]);
  });

  it('lets go of the address where the cluster does not rest on it', async () => {
    const host = hostWith();
    await converge(host, step);

    expect(await converge(host, none)).toEqual([
      'let go of the address of the API server, which the cluster file names no more',
    ]);
    expect(host.text(virtualAddressPath)).toBeUndefined();
  });

  it.each([
    ['another address', virtualAddressStep({ held: { ...held, address: '10.0.0.101' }, endpoint: '10.0.0.101:6443' })],
    ['none', none],
  ])('refuses %s under a cluster that rests on it', async (_name, other) => {
    const host = hostWith(made);
    await converge(host, step);

    expect(await planOn(host, other)).toMatchObject({ kind: 'blocked', code: 'SETTING_FIXED' });
  });

  it.each([
    ['the file', virtualAddressPath],
    ['the unit', virtualAddressUnit],
  ])('plans nothing where %s cannot be read', async (_name, what) => {
    const host = hostWith();
    host.unreadable.set(what, 'EIO');

    expect(await planOn(host, step)).toMatchObject({ kind: 'blocked', code: 'ADDRESS_UNKNOWN' });
  });
});
