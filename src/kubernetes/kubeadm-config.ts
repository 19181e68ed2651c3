import { stringify } from 'yaml';
import { mergeDeep } from '../lib/merge.ts';
import { formatEndpoint } from '../spec/formats.ts';
import type { Endpoint } from '../spec/config.ts';
import type { ClusterConfig, HostConfig } from '../spec/schema.ts';
import { apiPort, criSocket, kubernetesPaths } from './paths.ts';

const apiVersion = 'kubeadm.k8s.io/v1beta4';

export interface InitConfigInput {
  readonly config: ClusterConfig;
  readonly host: HostConfig;
  readonly nodeAddress: string;
  /** vX.Y.Z */
  readonly version: string;
}

/** Where nodes and clients reach the API server. */
export function apiEndpoint(config: ClusterConfig, firstNodeAddress: string): Endpoint {
  return givenEndpoint(config) ?? { host: firstNodeAddress, port: apiPort };
}

/** The endpoint that the cluster file gives, by name or as a virtual address. */
export function givenEndpoint(config: ClusterConfig): Endpoint | undefined {
  const { controlPlaneEndpoint, virtualAddress } = config.spec.kubernetes;
  return controlPlaneEndpoint ?? (virtualAddress && { host: virtualAddress.address, port: apiPort });
}

/** The file for `kubeadm init`, format kubeadm.k8s.io/v1beta4. */
export function renderInitConfig(input: InitConfigInput): string {
  const { config, host, nodeAddress, version } = input;
  const { kubernetes, network } = config.spec;
  return renderDocuments([
    {
      apiVersion,
      kind: 'InitConfiguration',
      // The token that init makes serves nobody: joins get one of their own. It lives as short as kubeadm allows usefully.
      bootstrapTokens: [
        {
          ttl: '5m0s',
          usages: ['signing', 'authentication'],
          groups: ['system:bootstrappers:kubeadm:default-node-token'],
        },
      ],
      localAPIEndpoint: { advertiseAddress: nodeAddress, bindPort: apiPort },
      // Images are there already, or come while kubeadm runs (phases/distribute-images): its own pull would wait for all.
      nodeRegistration: { ...nodeRegistration(config, host, nodeAddress), imagePullPolicy: 'Never' },
    },
    {
      apiVersion,
      kind: 'ClusterConfiguration',
      clusterName: config.metadata.name,
      kubernetesVersion: version,
      controlPlaneEndpoint: formatEndpoint(apiEndpoint(config, nodeAddress)),
      networking: {
        dnsDomain: 'cluster.local',
        podSubnet: network.podSubnets.join(','),
        serviceSubnet: network.serviceSubnets.join(','),
      },
      apiServer: { certSANs: certificateNames(config, nodeAddress) },
      // Its default of 20 requests a second is older than the API server's own fairness; with it the controllers alone take
      // five seconds to start, at every start.
      controllerManager: {
        extraArgs: [
          { name: 'kube-api-qps', value: '100' },
          { name: 'kube-api-burst', value: '200' },
        ],
      },
    },
    mergeDeep(
      { apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration', cgroupDriver: 'systemd' },
      kubernetes.kubelet,
    ),
    mergeDeep({ apiVersion: 'kubeproxy.config.k8s.io/v1alpha1', kind: 'KubeProxyConfiguration' }, kubernetes.kubeProxy),
  ]);
}

export interface JoinConfigInput {
  readonly config: ClusterConfig;
  readonly host: HostConfig;
  readonly nodeAddress: string;
  /** Placeholder or value of the token. */
  readonly token: string;
}

/**
 * The file for `kubeadm join` of a worker. The CA comes with it in a kubeconfig: with a bootstrap token alone kubeadm reads
 * `cluster-info`, which the controller manager has to sign first, and looks for the signature every five seconds only.
 */
export function renderJoinConfig(input: JoinConfigInput): string {
  const { config, host, nodeAddress, token } = input;
  return renderDocuments([
    {
      apiVersion,
      kind: 'JoinConfiguration',
      discovery: { file: { kubeConfigPath: kubernetesPaths.joinDiscovery }, tlsBootstrapToken: token },
      nodeRegistration: nodeRegistration(config, host, nodeAddress),
    },
  ]);
}

/** The kubeconfig by which a joining host knows the API server; nobody can log in with it. `caData`: base64 of the PEM text, or a placeholder. */
export function renderJoinDiscovery(clusterName: string, endpoint: Endpoint, caData: string): string {
  return stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: clusterName,
          cluster: { server: `https://${formatEndpoint(endpoint)}`, 'certificate-authority-data': caData },
        },
      ],
      // kubeadm refuses a context without a user.
      users: [{ name: 'anonymous', user: {} }],
      contexts: [{ name: clusterName, context: { cluster: clusterName, user: 'anonymous' } }],
      'current-context': clusterName,
    },
    { lineWidth: 0 },
  );
}

function nodeRegistration(config: ClusterConfig, host: HostConfig, nodeAddress: string): Record<string, unknown> {
  const isPureControlPlane = host.roles.includes('control-plane') && !host.roles.includes('worker');
  const own = host.taints.map(({ key, value, effect }) => ({ key, ...(value === '' ? {} : { value }), effect }));
  const taints = isPureControlPlane
    ? [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }, ...own]
    : own;
  return {
    name: host.name,
    criSocket,
    imagePullPolicy: 'IfNotPresent',
    // An empty list, given explicitly, keeps kubeadm from tainting a control plane that is a worker as well.
    taints,
    kubeletExtraArgs: [{ name: 'node-ip', value: nodeAddress }],
    ignorePreflightErrors: [...config.spec.kubernetes.ignorePreflightErrors],
  };
}

/** Names that the API server's certificate holds beyond kubeadm's own: all by which the control planes are reached. */
function certificateNames(config: ClusterConfig, nodeAddress: string): string[] {
  const controlPlanes = config.spec.hosts.filter(({ roles }) => roles.includes('control-plane'));
  const { controlPlaneEndpoint, virtualAddress } = config.spec.kubernetes;
  const stable = [controlPlaneEndpoint?.host, virtualAddress?.address].filter((host) => host !== undefined);
  const names = controlPlanes.flatMap(({ name, address, internalAddress }) => [
    name,
    address,
    ...(internalAddress === undefined ? [] : [internalAddress]),
  ]);
  return [...new Set([...names, nodeAddress, ...stable, '127.0.0.1', 'localhost'])];
}

function renderDocuments(documents: readonly object[]): string {
  return documents.map((document) => stringify(document, { lineWidth: 0 })).join('---\n');
}
