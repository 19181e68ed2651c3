import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { testConfig } from '../../test/support/cluster.ts';
import type { ClusterConfig } from '../spec/schema.ts';
import { formatEndpoint } from '../spec/formats.ts';
import { apiEndpoint, renderInitConfig, renderJoinConfig, renderJoinDiscovery } from './kubeadm-config.ts';

/** Documents by kind. */
function documentsOf(text: string): Record<string, Record<string, unknown>> {
  const documents = parseAllDocuments(text).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJSON() as Record<string, unknown> & { kind: string };
  });
  return Object.fromEntries(documents.map((document) => [document.kind, document]));
}

function initOf(config: ClusterConfig, nodeAddress = '10.0.0.11'): Record<string, Record<string, unknown>> {
  const [host] = config.spec.hosts;
  if (host === undefined) throw new Error('no host');
  return documentsOf(renderInitConfig({ config, host, nodeAddress, version: 'v1.36.1' }));
}

function joinOf(config: ClusterConfig, index: number): Record<string, unknown> {
  const host = config.spec.hosts[index];
  if (host === undefined) throw new Error('no host');
  const input = {
    config,
    host,
    nodeAddress: '10.0.0.21',
    token: 'a.b',
  };
  return documentsOf(renderJoinConfig(input))['JoinConfiguration'] ?? {};
}

describe('renderInitConfig', () => {
  it('describes the cluster', () => {
    const { InitConfiguration, ClusterConfiguration } = initOf(testConfig());

    expect(InitConfiguration).toMatchObject({
      apiVersion: 'kubeadm.k8s.io/v1beta4',
      localAPIEndpoint: { advertiseAddress: '10.0.0.11', bindPort: 6443 },
      nodeRegistration: {
        name: 'cp1',
        criSocket: 'unix:///run/containerd/containerd.sock',
        kubeletExtraArgs: [{ name: 'node-ip', value: '10.0.0.11' }],
      },
    });
    expect(ClusterConfiguration).toMatchObject({
      apiVersion: 'kubeadm.k8s.io/v1beta4',
      clusterName: 'prod',
      kubernetesVersion: 'v1.36.1',
      controlPlaneEndpoint: '10.0.0.11:6443',
      networking: { podSubnet: '10.244.0.0/16', serviceSubnet: '10.96.0.0/12' },
    });
  });

  it('makes a bootstrap token that soon expires', () => {
    expect(initOf(testConfig())['InitConfiguration']).toMatchObject({ bootstrapTokens: [{ ttl: '5m0s' }] });
  });

  it('certifies every name and address by which a control plane is reached', () => {
    const hosts = `    - { name: cp1, address: cp1.example.com, internalAddress: 10.0.0.11, roles: [control-plane] }
    - { name: w1, address: 10.0.0.21, roles: [worker] }
`;
    const { ClusterConfiguration } = initOf(
      testConfig('  kubernetes: { controlPlaneEndpoint: "api.example.com:8443" }\n', hosts),
    );

    expect(ClusterConfiguration).toMatchObject({
      controlPlaneEndpoint: 'api.example.com:8443',
      apiServer: { certSANs: ['cp1', 'cp1.example.com', '10.0.0.11', 'api.example.com', '127.0.0.1', 'localhost'] },
    });
  });

  it('takes both families of a dual-stack network', () => {
    const spec =
      '  network: { podSubnets: [10.244.0.0/16, "fd00:1::/56"], serviceSubnets: [10.96.0.0/16, "fd00:2::/112"] }\n';

    expect(initOf(testConfig(spec))['ClusterConfiguration']).toMatchObject({
      networking: { podSubnet: '10.244.0.0/16,fd00:1::/56', serviceSubnet: '10.96.0.0/16,fd00:2::/112' },
    });
  });

  it('lays the overrides of the cluster file over kubelet and kube-proxy', () => {
    const spec = `  kubernetes:
    kubelet: { maxPods: 200, evictionHard: { memory.available: 200Mi } }
    kubeProxy: { mode: nftables, nftables: { masqueradeAll: true } }
    ignorePreflightErrors: [NumCPU]
`;
    const { KubeletConfiguration, KubeProxyConfiguration, InitConfiguration } = initOf(testConfig(spec));

    expect(KubeletConfiguration).toEqual({
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      kind: 'KubeletConfiguration',
      cgroupDriver: 'systemd',
      maxPods: 200,
      evictionHard: { 'memory.available': '200Mi' },
    });
    expect(KubeProxyConfiguration).toMatchObject({ mode: 'nftables', nftables: { masqueradeAll: true } });
    expect(InitConfiguration).toMatchObject({ nodeRegistration: { ignorePreflightErrors: ['NumCPU'] } });
  });

  const controlPlaneTaint = { key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' };

  it.each([
    ['a control plane only', '[control-plane]', '', [controlPlaneTaint]],
    ['a control plane that is a worker too', '[control-plane, worker]', '', []],
    [
      'a control plane with a taint of its own',
      '[control-plane]',
      ', taints: ["gpu=a100:NoExecute"]',
      [controlPlaneTaint, { key: 'gpu', value: 'a100', effect: 'NoExecute' }],
    ],
    [
      'both roles with a taint of its own',
      '[control-plane, worker]',
      ', taints: ["db:NoSchedule"]',
      [{ key: 'db', effect: 'NoSchedule' }],
    ],
  ])('taints %s', (_name, roles, taints, expected) => {
    const config = testConfig('', `    - { name: cp1, address: 10.0.0.11, roles: ${roles}${taints} }\n`);

    expect(initOf(config)['InitConfiguration']?.['nodeRegistration']).toMatchObject({ taints: expected });
  });
});

describe('renderJoinConfig', () => {
  it('lets a worker find and trust the cluster', () => {
    expect(joinOf(testConfig(), 1)).toEqual({
      apiVersion: 'kubeadm.k8s.io/v1beta4',
      kind: 'JoinConfiguration',
      discovery: { file: { kubeConfigPath: '/run/installer/kubeadm-discovery.yaml' }, tlsBootstrapToken: 'a.b' },
      nodeRegistration: {
        name: 'w1',
        criSocket: 'unix:///run/containerd/containerd.sock',
        imagePullPolicy: 'IfNotPresent',
        taints: [],
        kubeletExtraArgs: [{ name: 'node-ip', value: '10.0.0.21' }],
        ignorePreflightErrors: [],
      },
    });
  });
});

describe('renderJoinDiscovery', () => {
  it('names the API server and its CA, and holds nothing to log in with', () => {
    expect(parse(renderJoinDiscovery('prod', { host: 'fd00::1', port: 6443 }, 'UEVN'))).toEqual({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'prod', cluster: { server: 'https://[fd00::1]:6443', 'certificate-authority-data': 'UEVN' } }],
      users: [{ name: 'anonymous', user: {} }],
      contexts: [{ name: 'prod', context: { cluster: 'prod', user: 'anonymous' } }],
      'current-context': 'prod',
    });
  });
});

describe('endpoints', () => {
  it.each([
    ['10.0.0.1', 6443, '10.0.0.1:6443'],
    ['api.example.com', 443, 'api.example.com:443'],
    ['fd00::1', 6443, '[fd00::1]:6443'],
  ])('of %s and %i are written %s', (host, port, expected) => {
    expect(formatEndpoint({ host: host, port: port })).toBe(expected);
  });

  it.each([
    ['the first control plane', '', '10.0.0.11:6443'],
    [
      'the one that the cluster file gives',
      '  kubernetes: { controlPlaneEndpoint: api.example.com }\n',
      'api.example.com:6443',
    ],
  ])('of the API server are %s', (_name, spec, expected) => {
    expect(formatEndpoint(apiEndpoint(testConfig(spec), '10.0.0.11'))).toBe(expected);
  });
});
