import { parse, stringify } from 'yaml';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { mergeCatalogs, parseCatalog, resolveVersions, type ResolvedVersions } from '../../src/artifacts/catalog.ts';
import { listAssets, readAsset } from '../../src/assets.ts';
import { renderContainerdConfig, renderRegistryFiles } from '../../src/kubernetes/containerd-config.ts';
import { renderFlannel } from '../../src/kubernetes/flannel.ts';
import { apiEndpoint, renderInitConfig, renderJoinConfig } from '../../src/kubernetes/kubeadm-config.ts';
import { formatEndpoint } from '../../src/spec/formats.ts';
import { loadClusterConfig } from '../../src/spec/load.ts';
import type { ClusterConfig } from '../../src/spec/schema.ts';

export interface FloorInput {
  readonly config: ClusterConfig;
  readonly versions: ResolvedVersions;
}

export async function loadFloorInput(configFile: string): Promise<FloorInput> {
  const config = await loadClusterConfig(configFile);
  const builtIn = listAssets('manifests/catalog/').map((path) => parseCatalog(readAsset(path), path));
  const overlays = await Promise.all(
    config.spec.artifacts.catalogs.map(async (path) => parseCatalog(await readFile(path, 'utf8'), path)),
  );
  return { config, versions: resolveVersions(mergeCatalogs(builtIn, overlays), config, ['amd64']) };
}

/** Renders everything that the floor script lays on the hosts: the same files that the installer would write. */
export async function writeFloorFiles(folder: string, { config, versions }: FloorInput): Promise<void> {
  const [first, ...others] = config.spec.hosts;
  if (first === undefined) throw new Error('no hosts');
  const host = (path: string): string => join(folder, 'host', path);
  const pairs: [string, string][] = [
    [
      host('etc/containerd/config.toml'),
      renderContainerdConfig(versions.images.pause, config.spec.runtime.containerd.config),
    ],
    [host('etc/systemd/system/containerd.service'), readAsset('templates/systemd/containerd.service')],
    [host('etc/systemd/system/kubelet.service'), readAsset('templates/systemd/kubelet.service')],
    [host('etc/systemd/system/kubelet.service.d/10-kubeadm.conf'), readAsset('templates/systemd/kubelet-kubeadm.conf')],
    [
      host('etc/crictl.yaml'),
      'runtime-endpoint: unix:///run/containerd/containerd.sock\nimage-endpoint: unix:///run/containerd/containerd.sock\n',
    ],
    [
      host('etc/sysctl.d/zz-installer.conf'),
      'net.ipv4.ip_forward = 1\nnet.bridge.bridge-nf-call-iptables = 1\nnet.bridge.bridge-nf-call-ip6tables = 1\n',
    ],
    [host('etc/hosts.cluster'), config.spec.hosts.map(({ name, address }) => `${address} ${name}\n`).join('')],
    [
      host('etc/kubernetes/kubeadm-init.yaml'),
      renderInitConfig({ config, host: first, nodeAddress: first.address, version: versions.kubernetes.version }),
    ],
    [
      join(folder, 'flannel.yaml'),
      renderFlannel({
        podSubnets: config.spec.network.podSubnets,
        images: versions.images.network,
        endpoint: apiEndpoint(config, first.address),
      }),
    ],
    [
      join(folder, 'downloads'),
      [...versions.components, ...versions.binaries]
        .map(({ name, url, sha256 }) => `get ${name} ${url} ${sha256 ?? ''}\n`)
        .join(''),
    ],
  ];
  for (const [registry, settings] of Object.entries(config.spec.runtime.registries)) {
    const ca = settings.ca === undefined ? undefined : await readFile(settings.ca, 'utf8');
    for (const { path, content } of renderRegistryFiles(registry, settings, ca)) pairs.push([host(path), content]);
  }
  for (const other of others) {
    const endpoint = formatEndpoint(apiEndpoint(config, first.address));
    pairs.push([
      join(folder, `join-${other.name}.yaml`),
      stringify({
        ...(parse(renderJoinConfig({ config, host: other, nodeAddress: other.address, token: '' })) as object),
        // As kubeadm's own help has it.
        discovery: { bootstrapToken: { apiServerEndpoint: endpoint, token: 'TOKEN', caCertHashes: ['CA_HASH'] } },
      }),
    ]);
  }
  for (const [path, content] of pairs) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
  // The archive is unpacked over the root folder of the hosts, whose mode it must not change.
  await chmod(join(folder, 'host'), 0o755);
}
