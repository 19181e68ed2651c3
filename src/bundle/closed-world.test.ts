import { describe, expect, it } from 'vitest';
import { resolveVersions, type ResolvedVersions } from '../artifacts/catalog.ts';
import { loadCatalogs } from '../artifacts/load-catalogs.ts';
import { InstallerErrors } from '../errors.ts';
import { parseClusterConfig } from '../spec/load.ts';
import type { ClusterConfig } from '../spec/schema.ts';
import { checkClosedWorld, findMissing, imagesOfManifest, needsOf, sandboxImages } from './closed-world.ts';
import type { Need } from './need.ts';
import { namedPackages } from './package-needs.ts';
import { wantedOf } from './wanted.ts';

const platforms = ['linux/amd64', 'linux/arm64'];

function configOf(more = ''): ClusterConfig {
  const text = `apiVersion: installer.io/v1alpha1
kind: ClusterConfig
metadata: { name: site }
spec:
  hosts: [{ name: node1, address: 192.0.2.1, roles: [control-plane, worker] }]
  kubernetes: { version: v1.36.3 }
${more}`;
  return parseClusterConfig(text, 'site.yaml', '/', '/root');
}

async function versionsOf(config: ClusterConfig): Promise<ResolvedVersions> {
  return resolveVersions(await loadCatalogs(config), config, ['amd64', 'arm64']);
}

/** What a bundle holds that was planned from the versions. */
function itemsOf(versions: ResolvedVersions): Parameters<typeof findMissing>[1] {
  const { images, files } = wantedOf([versions]);
  return [
    ...images.map(({ name }) => ({ kind: 'image', name, origin: name, platforms })),
    ...files.map(({ name, url, platform }) => ({
      kind: 'binary',
      name,
      origin: url,
      platforms: platform === undefined ? [] : [platform],
    })),
  ];
}

describe('what a cluster asks for', () => {
  it('is met by what a bundle is planned to hold', async () => {
    const config = configOf();
    const versions = await versionsOf(config);
    const needs = needsOf(config, [versions], platforms);

    expect(findMissing(needs, itemsOf(versions))).toEqual([]);
    const named = needs.filter(({ name }) => name.includes('/pause:')).map(({ namedBy }) => namedBy);
    expect(new Set(named)).toEqual(
      new Set(["kubeadm's list for v1.36.3", 'the configuration of containerd, with v1.36.3']),
    );
  });

  const anItem = (what: string): RegExp => new RegExp(what);
  it.each([
    ['an image of kubeadm', anItem('kube-scheduler'), "kubeadm's list for v1.36.3"],
    ['the sandbox', anItem('/pause:'), 'the configuration of containerd, with v1.36.3'],
    ['the daemon of the network', anItem('flannel/?[^/]*/flannel:'), 'the manifest of flannel, with v1.36.3'],
    ['the plugin of the network', anItem('flannel-cni-plugin'), 'the manifest of flannel, with v1.36.3'],
    ['the probe', anItem('agnhost'), 'the pods that verify the cluster, with v1.36.3'],
    ['a binary', anItem('amd64/kubelet$'), 'kubelet of Kubernetes v1.36.3'],
    ['an archive', anItem('containerd-.*arm64'), 'containerd of Kubernetes v1.36.3'],
    ['runc', anItem('runc.amd64'), 'runc of Kubernetes v1.36.3'],
  ])('is missed where %s is not there', async (_, pattern, namedBy) => {
    const config = configOf();
    const versions = await versionsOf(config);
    const items = itemsOf(versions).filter(({ origin }) => !pattern.test(origin));

    const missing = findMissing(needsOf(config, [versions], platforms), items);

    expect(missing).toHaveLength(1);
    expect(missing[0]?.name).toMatch(pattern);
    expect(missing[0]?.namedBy).toContain(namedBy);
  });

  it('is missed for a platform alone', async () => {
    const config = configOf();
    const versions = await versionsOf(config);
    const items = itemsOf(versions).map((item) =>
      item.name.includes('etcd') ? { ...item, platforms: ['linux/amd64'] } : item,
    );

    expect(findMissing(needsOf(config, [versions], platforms), items)).toMatchObject([{ platforms: ['linux/arm64'] }]);
  });

  it('includes a sandbox image that the cluster file lays over the configuration', async () => {
    const config = configOf(`  runtime:
    containerd:
      config: { plugins: { io.containerd.cri.v1.images: { pinned_images: { sandbox: 'example.com/own-pause:1' } } } }
`);
    const versions = await versionsOf(config);

    expect(findMissing(needsOf(config, [versions], platforms), itemsOf(versions))).toEqual([
      {
        kind: 'image',
        name: 'example.com/own-pause:1',
        platforms,
        namedBy: ['the configuration of containerd, with v1.36.3'],
      },
    ]);
  });

  it('does not include a network or probes where there is no network plugin', async () => {
    const config = configOf('  network: { plugin: none }\n');
    const names = needsOf(config, [await versionsOf(config)], platforms).map(({ name }) => name);

    expect(names.filter((name) => /flannel|agnhost/.test(name))).toEqual([]);
  });
});

it('tells everything that is missing, with who named it', () => {
  const need = (name: string, namedBy: string): Need => ({ kind: 'image', name, platform: 'linux/amd64', namedBy });
  const needs = [need('a.io/x:1', 'one'), need('a.io/x:1', 'two'), need('a.io/y:1', 'one')];
  const check = (): void => checkClosedWorld(needs, []);

  expect(check).toThrow(InstallerErrors);
  expect(check).toThrow(/a\.io\/x:1 for linux\/amd64 .* named by one, and by two/);
  expect(check).toThrow(/a\.io\/y:1/);
});

it.each([
  [
    'a pod',
    'spec: { containers: [{ name: a, image: x:1 }], initContainers: [{ name: b, image: y:2 }] }',
    ['x:1', 'y:2'],
  ],
  [
    'several documents',
    'spec: { containers: [{ image: x:1 }] }\n---\nspec: { containers: [{ image: z:1 }] }',
    ['x:1', 'z:1'],
  ],
  ['a template in a list', 'items: [{ spec: { template: { spec: { containers: [{ image: x:1 }] } } } }]', ['x:1']],
  ['an image twice', 'a: { image: x:1 }\nb: { image: x:1 }', ['x:1']],
  ['a volume of an image', 'volumes: [{ name: v, image: { reference: v:1 } }]', []],
  ['no image', 'kind: ConfigMap\ndata: { image-name: x }', []],
])('finds the images of %s', (_, text, expected) => {
  expect(imagesOfManifest(text)).toEqual(expected);
});

it.each([
  ['version 3', "version = 3\n[plugins.'io.containerd.cri.v1.images'.pinned_images]\nsandbox = 'p:1'\n", ['p:1']],
  ['version 2', "version = 2\n[plugins.'io.containerd.grpc.v1.cri']\nsandbox_image = 'p:2'\n", ['p:2']],
  ['none', 'version = 3\n', []],
])('finds the sandbox image of a configuration of %s', (_, text, expected) => {
  expect(sandboxImages(text)).toEqual(expected);
});

describe('what hosts of a distribution ask for', () => {
  const world = `  hostSettings: { packages: [jq], ntp: { servers: [10.0.0.1] }, installTools: none }
  osPackages: { distributions: [{ id: debian, version: 12, keyFile: /k }, { id: rocky, version: 9.6, keyFile: /k }] }
`;
  const item = (name: string, repository: string, provides: string[] = []): Parameters<typeof findMissing>[1][0] => ({
    ...{ kind: 'package', name, origin: `http://m/${name}`, platforms: ['linux/amd64'], provides },
    paths: [`packages/${repository}/pool/${name}`],
  });
  const debian = 'debian-12-amd64';
  const all = [
    item('jq', debian),
    item('chrony', debian),
    ...['jq', 'chrony'].map((name) => item(name, 'rocky-9.6-amd64')),
  ];

  it.each<[string, Parameters<typeof findMissing>[1], string[]]>([
    ['everything', all, []],
    ['a package of the same name in the other repository alone', all.slice(1), [`the package jq of ${debian}`]],
    ['a package that provides the name', [...all.slice(1), item('jq-ng', debian, ['jq'])], []],
    [
      'nothing',
      [],
      ['jq of debian-12-amd64', 'chrony of debian-12-amd64', 'jq of rocky-9.6-amd64', 'chrony of rocky-9.6-amd64'].map(
        (name) => `the package ${name}`,
      ),
    ],
  ])('with %s', (_, items, expected) => {
    const missing = findMissing(needsOf(configOf(world), [], ['linux/amd64']), items);
    expect(missing.map(({ name }) => name)).toEqual(expected);
  });

  it('is told with where it is named, for each architecture', () => {
    const needs = needsOf(configOf(world), [], platforms);
    expect(() => checkClosedWorld(needs, all)).toThrow(
      'the package jq of debian-12-arm64 for linux/arm64 is not in the bundle; it is named by spec.hostSettings.packages',
    );
  });

  it.each([
    ['none', []],
    ['required', ['tar', 'iproute2', 'iptables', 'procps', 'findutils', 'diffutils', 'curl']],
    ['all', ['conntrack', 'ethtool', 'socat', 'ebtables', 'ipset']],
  ])('with installTools: %s, tools count', (choice, names) => {
    const config = configOf(`  hostSettings: { installTools: ${choice} }\n`);
    expect(namedPackages(config, { id: 'debian' }).map(({ name }) => name)).toEqual(expect.arrayContaining(names));
  });
});
