import { describe, expect, it } from 'vitest';
import { createFakeHost, type FakeHost } from '../../test/support/fake-host.ts';
import { changesOn, converge, planOn } from '../../test/support/steps.ts';
import type { Artifact } from '../artifacts/catalog.ts';
import type { ArtifactSeen, ServiceSeen } from '../ops/query.ts';
import { artifactStep } from './artifact-step.ts';
import { kernelModulesStep, kubernetesFeatures } from './kernel-modules-step.ts';
import { digestDropIn, serviceStep } from './service-step.ts';
import { sysctlStep, type SysctlSetting } from './sysctl-step.ts';

describe('artifactStep', () => {
  const artifact: Artifact = {
    name: 'kubelet',
    version: 'v1.36.1',
    arch: 'amd64',
    url: 'https://dl.k8s.io/v1.36.1/bin/linux/amd64/kubelet',
    sha256: 'a'.repeat(64),
  };
  const install = { as: 'file', path: '/usr/local/bin/kubelet', mode: '755' } as const;
  const step = artifactStep({ artifact, install, verifyContent: false });
  const good: ArtifactSeen = { sourceSha256: 'a'.repeat(64), version: 'v1.36.1', files: [install.path], altered: [] };

  it.each<[string, ArtifactSeen | undefined, string]>([
    ['is not there', undefined, 'not installed by this installer yet'],
    ['is another version', { ...good, version: 'v1.35.0' }, 'v1.35.0 is installed'],
    ['has another digest', { ...good, sourceSha256: 'b'.repeat(64) }, 'the installed release has another digest'],
    ['was altered', { ...good, altered: [install.path] }, 'altered since: /usr/local/bin/kubelet'],
  ])('fetches what %s', async (_name, seen, reason) => {
    const host = createFakeHost('n1', { artifacts: seen === undefined ? {} : { kubelet: seen } });

    expect(await converge(host, step)).toEqual([`install kubelet v1.36.1 (${reason})`]);
    expect(host.done).toEqual([`fetch ${artifact.url}`]);
  });

  it('plans nothing where the release is there', async () => {
    expect(await converge(createFakeHost('n1', { artifacts: { kubelet: good } }), step)).toEqual([]);
  });

  it('takes any digest of the right version where none is pinned, and asks the publisher for the next one', async () => {
    const { name, version, arch, url } = artifact;
    const unpinned = artifactStep({ artifact: { name, version, arch, url }, install, verifyContent: true });
    const host = createFakeHost('n1', { artifacts: { kubelet: { ...good, sourceSha256: 'c'.repeat(64) } } });

    expect(await converge(host, unpinned)).toEqual([]);
    expect(unpinned.observe).toEqual([{ kind: 'artifact', name: 'kubelet', verifyContent: true }]);
    host.artifacts.clear();
    expect((await changesOn(host, unpinned))[0]?.actions).toMatchObject([
      { sha256: undefined, checksumUrl: `${url}.sha256` },
    ]);
  });

  it('fetches nothing where the record cannot be read', async () => {
    const host = createFakeHost('n1');
    host.unreadable.set('kubelet', 'EIO');

    expect(await planOn(host, step)).toMatchObject({ kind: 'blocked', code: 'RECORD_UNREADABLE' });
  });
});

describe('serviceStep', () => {
  const unit = 'containerd.service';
  const wait = {
    kind: 'wait',
    description: 'it answers',
    argv: ['crictl', 'version'],
    timeoutSeconds: 60,
    intervalSeconds: 1,
  } as const;
  const step = serviceStep({ id: 'containerd', unit, digest: 'd2', then: [wait] });
  const good: Partial<ServiceSeen> = { activeState: 'active', unitFileState: 'enabled', startedWithDigest: 'd2' };

  function host(service?: Partial<ServiceSeen>): FakeHost {
    const made = createFakeHost('n1', {
      services: service === undefined ? {} : { [unit]: service },
      files: {
        '/etc/systemd/system/containerd.service': '[Service]\n',
        '/etc/systemd/system/containerd.service.d/10.conf': digestDropIn('d2'),
      },
    });
    made.on('crictl version', 'ok');
    return made;
  }

  it.each<[string, Partial<ServiceSeen> | undefined, readonly string[]]>([
    ['is not known to systemd yet', undefined, ['enable', 'start']],
    ['is disabled and stopped', { unitFileState: 'disabled' }, ['enable', 'start']],
    ['is stopped', { ...good, activeState: 'inactive' }, ['start']],
    ['has failed', { ...good, activeState: 'failed' }, ['start']],
    ['runs with another configuration', { ...good, startedWithDigest: 'd1' }, ['restart']],
    ['runs with a configuration that is not ours', { ...good, startedWithDigest: undefined }, ['restart']],
    ['is not enabled', { ...good, unitFileState: 'disabled' }, ['enable']],
    ['is as it should be', good, []],
  ])('does what is needed for a service that %s', async (_name, service, verbs) => {
    const made = host(service);

    const summaries = await converge(made, step);

    expect(summaries.map((summary) => summary.split(' ')[0])).toEqual(verbs);
    expect(made.done.filter((line) => line.startsWith('wait'))).toHaveLength(
      verbs.includes('start') || verbs.includes('restart') ? 1 : 0,
    );
    expect(made.services.get(unit)).toMatchObject(good);
  });

  it('says that a restart interrupts work, and that a start does not', async () => {
    expect(await changesOn(host({ ...good, startedWithDigest: 'd1' }), step)).toMatchObject([{ disruptive: true }]);
    expect((await changesOn(host(), step)).map(({ disruptive }) => disruptive)).toEqual([undefined, undefined]);
  });

  it('does nothing where systemd does not answer', async () => {
    const made = host(good);
    made.unreadable.set(unit, 'no bus');

    expect(await planOn(made, step)).toMatchObject({ kind: 'blocked', code: 'SERVICE_UNKNOWN' });
  });

  it('enables but does not start a service before the file that it needs is there', async () => {
    const made = host();
    const waiting = serviceStep({
      id: 'kubelet',
      unit,
      digest: 'd2',
      then: [],
      runsOnlyWith: '/var/lib/kubelet/config.yaml',
    });

    expect(await converge(made, waiting)).toEqual([`enable ${unit}`]);
    made.write('/var/lib/kubelet/config.yaml', '');
    expect(await converge(made, waiting)).toEqual([`start ${unit}`]);
  });
});

describe('sysctlStep', () => {
  const path = '/etc/sysctl.d/zz-installer.conf';
  const settings: readonly SysctlSetting[] = [
    { key: 'net.ipv4.ip_forward', value: '1', isRequired: true },
    { key: 'vm.max_map_count', value: '262144', raiseOnly: true },
  ];
  const step = sysctlStep('kernel-parameters', path, settings);
  const text = (forward: number, maps: number): string =>
    `# Written by the installer for Kubernetes; installer reset and restore-host take it away.\nnet.ipv4.ip_forward = ${forward}\nvm.max_map_count = ${maps}\n`;

  function host(forward: string | undefined, maps: string, file?: string, elsewhere = ''): FakeHost {
    const made = createFakeHost('n1', { files: { '/proc/sys/vm/max_map_count': maps } });
    if (forward !== undefined) made.write('/proc/sys/net/ipv4/ip_forward', forward);
    if (file !== undefined) made.write(path, file);
    made.on('/bin/sh -c set --', elsewhere);
    return made;
  }

  it.each<[string, FakeHost | (() => FakeHost), string[], number]>([
    [
      'sets what is wrong',
      () => host('0\n', '65530\n'),
      ['set kernel parameters: net.ipv4.ip_forward 0 -> 1, vm.max_map_count 65530 -> 262144'],
      262144,
    ],
    [
      'sets what is not there',
      () => host(undefined, '262144\n'),
      ['set kernel parameters: net.ipv4.ip_forward unset -> 1'],
      262144,
    ],
    [
      'writes the file where the values are right by chance',
      () => host('1\n', '262144\n'),
      ['set kernel parameters'],
      262144,
    ],
    [
      'sets again what was changed behind the file',
      () => host('0\n', '262144\n', text(1, 262144)),
      ['set kernel parameters: net.ipv4.ip_forward 0 -> 1'],
      262144,
    ],
    ['leaves a limit that is higher already', () => host('1\n', '999999\n'), ['set kernel parameters'], 999999],
    [
      'keeps a higher limit of an earlier run',
      () => host('1\n', '262144\n', text(1, 500000)),
      ['set kernel parameters: vm.max_map_count 262144 -> 500000'],
      500000,
    ],
    ['does nothing where all is well', () => host('1\n', '262144\n', text(1, 262144)), [], 262144],
  ])('%s', async (_name, make, summaries, maps) => {
    const made = typeof make === 'function' ? make() : make;

    expect(await converge(made, step)).toEqual(summaries);
    expect(made.text(path)).toBe(text(1, maps));
  });

  it('lowers a value that has to be exact', async () => {
    const made = host('2\n', '262144\n', text(1, 262144));

    expect(await converge(made, step)).toEqual(['set kernel parameters: net.ipv4.ip_forward 2 -> 1']);
  });

  it('writes nothing where its file cannot be read', async () => {
    const made = host('1\n', '1\n');
    made.unreadable.set(path, 'EIO');

    expect(await planOn(made, step)).toMatchObject({ kind: 'blocked', code: 'FILE_UNREADABLE' });
  });
});

describe('kernelModulesStep', () => {
  const path = '/etc/modules-load.d/installer.conf';
  const step = kernelModulesStep('kernel-modules', path, kubernetesFeatures);
  const bridge = '/proc/sys/net/bridge/bridge-nf-call-iptables';
  const conntrack = '/proc/sys/net/netfilter/nf_conntrack_max';

  /** `modprobe` loads. */
  function host(files: Readonly<Record<string, string>>): FakeHost {
    const made = createFakeHost('n1', {
      files: { '/proc/filesystems': 'nodev\ttmpfs\n\text4\n', '/proc/modules': '', [conntrack]: '1', ...files },
    });
    made.on('modprobe', ([, module = '']) => {
      made.write('/proc/modules', `${made.text('/proc/modules') ?? ''}${module} 16384 0 - Live 0x0\n`);
      if (module === 'overlay')
        made.write('/proc/filesystems', `${made.text('/proc/filesystems') ?? ''}nodev\toverlay\n`);
      else made.write(bridge, '1\n');
      return '';
    });
    return made;
  }

  const overlay = { '/proc/filesystems': 'nodev\ttmpfs\nnodev\toverlay\n' };
  const loaded = { '/proc/modules': 'overlay 1 0 - Live 0x0\nbr_netfilter 1 0 - Live 0x0\n' };

  it.each<[string, Readonly<Record<string, string>>, string[], string | undefined]>([
    ['loads both where both are missing', {}, ['load kernel modules overlay, br_netfilter'], 'overlay\nbr_netfilter\n'],
    [
      'loads the one that is missing beside one that is built in',
      overlay,
      ['load kernel modules br_netfilter'],
      'br_netfilter\n',
    ],
    [
      'has modules loaded at boot that somebody loaded by hand',
      { ...overlay, ...loaded, [bridge]: '1' },
      ['load overlay, br_netfilter at boot'],
      'overlay\nbr_netfilter\n',
    ],
    ['writes nothing where both are built in', { ...overlay, [bridge]: '1' }, [], undefined],
    [
      'does nothing where all is well',
      { ...overlay, ...loaded, [bridge]: '1', [path]: 'overlay\nbr_netfilter\n' },
      [],
      'overlay\nbr_netfilter\n',
    ],
  ])('%s', async (_name, files, summaries, content) => {
    const made = host(files);

    expect(await converge(made, step)).toEqual(summaries);
    expect(made.text(path)).toBe(content);
  });

  it('loads conntrack', async () => {
    const made = host({ ...overlay, [bridge]: '1' });
    made.files.delete(conntrack);
    made.on('modprobe nf_conntrack', () => {
      made.write('/proc/modules', 'nf_conntrack 1 0 - Live 0x0\n');
      made.write(conntrack, '1\n');
      return '';
    });

    expect(await converge(made, step)).toEqual(['load kernel modules nf_conntrack']);
    expect(made.text(path)).toBe('nf_conntrack\n');
    expect(made.record.ids()).toContain('module:nf_conntrack');
  });

  it('does not take a file system of a similar name for overlay', async () => {
    expect(
      await changesOn(host({ '/proc/filesystems': 'nodev\tfuse-overlayfs\n', [bridge]: '1' }), step),
    ).toMatchObject([{ summary: 'load kernel modules overlay' }]);
  });

  it('writes nothing where its file cannot be read', async () => {
    const made = host({});
    made.unreadable.set(path, 'EIO');

    expect(await planOn(made, step)).toMatchObject({ kind: 'blocked', code: 'FILE_UNREADABLE' });
  });
});
