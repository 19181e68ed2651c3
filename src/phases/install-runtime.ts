import { readAsset } from '../assets.ts';
import type { HostPhase } from '../engine/phase.ts';
import type { Step } from '../engine/step.ts';
import { InternalError } from '../errors.ts';
import type { Host } from '../hosts/host.ts';
import {
  artifactOf,
  firstControlPlane,
  hostsOf,
  memberOf,
  versionsOf,
  type Cluster,
  type Member,
} from '../kubernetes/cluster.ts';
import { imagePullOf } from '../kubernetes/image-pull.ts';
import { beginInitImages, pullUnit } from '../kubernetes/images-step.ts';
import { fetchServers } from '../kubernetes/host-servers.ts';
import { fetchSource } from '../kubernetes/supply.ts';
import { containerdPaths, renderContainerdConfig, renderRegistryFiles } from '../kubernetes/containerd-config.ts';
import { criSocket, flannelPlugin } from '../kubernetes/paths.ts';
import type { Action, FetchAction } from '../ops/action.ts';
import { artifactStep } from '../steps/artifact-step.ts';
import { fileStep, sha256 } from '../steps/file-step.ts';
import { digestDropIn, serviceStep } from '../steps/service-step.ts';
import { createProspects } from '../tuning/prospects.ts';

const installs: Readonly<Record<string, FetchAction['install']>> = {
  containerd: {
    as: 'members',
    directory: '/usr/local/bin',
    members: ['containerd', 'containerd-shim-runc-v2', 'ctr'].map((name) => ({ from: `bin/${name}`, to: name })),
  },
  runc: { as: 'file', path: '/usr/local/sbin/runc', mode: '755' },
  'cni-plugins': { as: 'all', directory: '/opt/cni/bin' },
  crictl: { as: 'members', directory: '/usr/local/bin', members: [{ from: 'crictl', to: 'crictl' }] },
};

/** containerd with runc, the CNI plugins and crictl from the release archives, configured and running. */
export const installRuntime: HostPhase<Cluster> = {
  scope: 'host',
  id: 'install-runtime',
  title: 'Install container runtime',
  timeoutSeconds: 900,
  // Everything waits for the first control plane. What it does before kubeadm init is no less than what the others have to do
  // before they join, and kubeadm init and the start of the controllers take longer than this anywhere: it costs them nothing.
  letsFirst: { phase: 'pull-init-images', maxMs: 5000 },
  hosts: (cluster) => hostsOf(cluster.members),
  steps(host, cluster) {
    const member = memberOf(cluster, host);
    const kept = keptContainerd(memberAfterRemovals(member, cluster));
    const config = renderContainerdConfig(
      versionsOf(cluster).images.pause,
      cluster.config.spec.runtime.containerd.config,
      { usesApparmor: cluster.config.spec.hostSettings.apparmor === 'leave' },
    );
    const unit = readAsset('templates/systemd/containerd.service');
    const containerd = artifactOf(cluster, host, 'containerd');
    const digest = sha256([config, kept ?? `${unit}${containerd.version}${containerd.sha256 ?? ''}`].join('\n'));
    return [
      ...['containerd', 'runc', 'cni-plugins', 'crictl']
        // A runtime that was there before brings its own runc.
        .filter((name) => kept === undefined || (name !== 'containerd' && name !== 'runc'))
        .map((name) => artifactOf(cluster, host, name))
        .map((artifact) =>
          artifactStep({
            artifact,
            install: installOf(artifact.name),
            verifyContent: cluster.options.verifyContent,
            ...(artifact.name === 'cni-plugins' ? { alsoKeeps: [flannelPlugin] } : {}),
            servers: fetchServers(cluster, [artifact.url, artifact.checksumUrl ?? artifact.url]),
            source: fetchSource(cluster, host, artifact),
          }),
        ),
      fileStep({
        id: 'containerd-config',
        path: containerdPaths.config,
        content: config,
        mode: '644',
        first: [recordContainerd],
        record: kept === undefined ? {} : { after: [tryRestart] },
      }),
      ...registrySteps(cluster),
      fileStep({
        id: 'crictl-config',
        path: '/etc/crictl.yaml',
        content: `runtime-endpoint: ${criSocket}\nimage-endpoint: ${criSocket}\ntimeout: 30\n`,
        mode: '644',
        record: {},
      }),
      ...(kept === undefined
        ? [
            fileStep({
              id: 'containerd-unit',
              path: containerdPaths.unit,
              content: unit,
              mode: '644',
              record: { after: [daemonReload] },
              then: [reload],
            }),
          ]
        : []),
      fileStep({
        id: 'containerd-digest',
        path: containerdPaths.dropIn,
        content: digestDropIn(digest),
        mode: '644',
        record: { after: [daemonReload] },
        then: [reload],
      }),
      serviceStep({
        id: 'containerd-service',
        unit: 'containerd.service',
        digest,
        then: [waitForContainerd, ...beginPull(host, cluster)],
      }),
    ];
  },
};

/** A containerd whose package prepare-hosts removes is none that is kept. */
function memberAfterRemovals(member: Member, cluster: Cluster): Member {
  const members = createProspects({ ...cluster, members: [member] }).after('removePackages').members;
  return members[0] ?? member;
}

/** The whole cluster waits for the first control plane: its images come while its binaries are fetched. */
function beginPull(host: Host, cluster: Cluster): Action[] {
  if (host !== firstControlPlane(cluster).host) return [];
  return [...beginInitImages(pullUnit(cluster), versionsOf(cluster).images.kubernetes, imagePullOf(cluster, host))];
}

const daemonReload = ['systemctl', 'daemon-reload'] as const;
const reload: Action = { kind: 'service', unit: '', do: 'daemon-reload' };

/** A containerd that is kept goes on with the configuration that it had. */
const tryRestart = ['systemctl', 'try-restart', 'containerd.service'] as const;

/** Before its files: entries are undone in the reverse order, and a service of the user's starts with files of the user's. */
const recordContainerd: Action = {
  kind: 'record',
  thing: { kind: 'unit', unit: 'containerd.service', becomes: { enablement: 'enabled', activity: 'active' } },
};

const waitForContainerd: Action = {
  kind: 'wait',
  description: 'containerd answers',
  argv: ['crictl', 'version'],
  timeoutSeconds: 60,
  intervalSeconds: 1,
};

/** Version of a containerd that was on the host before and is good enough: it is configured, never replaced. */
function keptContainerd(member: Member): string | undefined {
  const { containerd } = member.facts;
  return containerd === undefined || containerd.isOurs ? undefined : `${containerd.path} ${containerd.version}`;
}

function registrySteps(cluster: Cluster): Step[] {
  return Object.entries(cluster.config.spec.runtime.registries).flatMap(([registry, config]) =>
    renderRegistryFiles(registry, config, cluster.files.get(config.ca ?? '')).map(({ path, content, mode }) =>
      fileStep({
        id: path,
        path,
        content,
        mode,
        record: {},
        ...(config.credentials === undefined ? {} : { secrets: cluster.secrets }),
      }),
    ),
  );
}

function installOf(name: string): FetchAction['install'] {
  const install = installs[name];
  if (install === undefined) throw new InternalError(`no way to install ${name}`);
  return install;
}
