import { parse as parseToml } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { InternalError } from '../errors.ts';
import type { RegistryConfig } from '../spec/schema.ts';
import { registrySecretName, renderContainerdConfig, renderRegistryFiles } from './containerd-config.ts';
import { renderFlannel } from './flannel.ts';
import { withoutKubernetesRules } from './iptables.ts';

describe('renderContainerdConfig', () => {
  it('is a configuration of containerd 2 with systemd cgroups, the sandbox image and the registries', () => {
    expect(parseToml(renderContainerdConfig('registry.k8s.io/pause:3.10', {}))).toMatchObject({
      version: 3,
      plugins: {
        'io.containerd.cri.v1.images': {
          pinned_images: { sandbox: 'registry.k8s.io/pause:3.10' },
          registry: { config_path: '/etc/containerd/certs.d' },
        },
        'io.containerd.cri.v1.runtime': {
          containerd: {
            default_runtime_name: 'runc',
            runtimes: { runc: { runtime_type: 'io.containerd.runc.v2', options: { SystemdCgroup: true } } },
          },
        },
      },
    });
  });

  it('has the overrides of the cluster file laid over it', () => {
    const overrides = {
      root: '/data/containerd',
      plugins: {
        'io.containerd.cri.v1.runtime': {
          containerd: { runtimes: { nvidia: { runtime_type: 'io.containerd.runc.v2' } } },
        },
      },
    };

    expect(parseToml(renderContainerdConfig('pause', overrides))).toMatchObject({
      root: '/data/containerd',
      plugins: {
        'io.containerd.cri.v1.runtime': {
          containerd: {
            default_runtime_name: 'runc',
            runtimes: { nvidia: { runtime_type: 'io.containerd.runc.v2' }, runc: { options: { SystemdCgroup: true } } },
          },
        },
      },
    });
  });

  it('is the same text for the same input', () => {
    expect(renderContainerdConfig('pause', {})).toBe(renderContainerdConfig('pause', {}));
    expect(renderContainerdConfig('pause', {})).not.toContain('apparmor');
    expect(renderContainerdConfig('pause', {}, { usesApparmor: false })).toContain('disable_apparmor = true');
  });
});

describe('renderRegistryFiles', () => {
  const plain: RegistryConfig = { mirrors: [], insecure: false };
  const capabilities = ['pull', 'resolve'];

  function tomlOf(registry: string, config: Partial<RegistryConfig>, ca?: string): unknown {
    return parseToml(renderRegistryFiles(registry, { ...plain, ...config }, ca)[0]?.content ?? '');
  }

  it('asks the mirrors in their order, and the upstream last', () => {
    const toml = tomlOf('registry.k8s.io', { mirrors: ['https://b.example.com/v2', 'https://a.example.com'] });

    expect(toml).toEqual({
      server: 'https://registry.k8s.io',
      capabilities,
      host: { 'https://b.example.com/v2': { capabilities }, 'https://a.example.com': { capabilities } },
    });
    expect(Object.keys((toml as { host: object }).host)).toEqual(['https://b.example.com/v2', 'https://a.example.com']);
  });

  it('knows where the images of Docker Hub are served', () => {
    expect(tomlOf('docker.io', {})).toEqual({ server: 'https://registry-1.docker.io', capabilities });
  });

  it('trusts the given authority for the mirrors and for the registry itself', () => {
    const ca = '/etc/containerd/certs.d/registry.example.com_5000/ca.crt';
    const files = renderRegistryFiles('registry.example.com:5000', { ...plain, mirrors: ['https://m'] }, 'PEM\n');

    expect(parseToml(files[0]?.content ?? '')).toMatchObject({ ca, host: { 'https://m': { ca } } });
    expect(files.map(({ path, mode }) => [path, mode])).toEqual([
      ['/etc/containerd/certs.d/registry.example.com_5000/hosts.toml', '644'],
      [ca, '644'],
    ]);
    expect(files[1]?.content).toBe('PEM\n');
  });

  it('skips the check of certificates only where it is told to', () => {
    expect(tomlOf('r.example.com', { insecure: true })).toMatchObject({ skip_verify: true });
    expect(tomlOf('r.example.com', {})).not.toHaveProperty('skip_verify');
  });

  it('holds a placeholder for the credentials, and is for root alone', () => {
    const credentials = { username: 'u', password: { env: 'PASSWORD' } };
    const [file] = renderRegistryFiles('r.example.com', { ...plain, credentials }, undefined);

    expect(parseToml(file?.content ?? '')).toMatchObject({
      header: { Authorization: '{{secret:registry-r-example-com}}' },
    });
    expect(file?.mode).toBe('600');
  });

  it.each([
    ['docker.io', 'registry-docker-io'],
    ['Registry.example.com:5000', 'registry-registry-example-com-5000'],
  ])('names the secret of %s %s', (registry, expected) => {
    expect(registrySecretName(registry)).toBe(expected);
  });
});

describe('renderFlannel', () => {
  const images = ['ghcr.io/flannel-io/flannel:v0.27.4', 'ghcr.io/flannel-io/flannel-cni-plugin:v1.8.0'];

  const endpoint = { host: 'fd00::1', port: 6443 };

  type Items = Record<string, Record<string, unknown>>;

  function objectsOf(podSubnets: readonly string[]): Items {
    const documents = parseAllDocuments(renderFlannel({ podSubnets, images, endpoint })).map(
      (document) => document.toJSON() as { kind: string },
    );
    return Object.fromEntries(documents.map((document) => [document.kind, document]));
  }

  function networkOf(podSubnets: readonly string[]): unknown {
    const { data } = objectsOf(podSubnets)['ConfigMap'] as { data: Record<string, string> };
    return JSON.parse(data['net-conf.json'] ?? '');
  }

  it.each([
    ['IPv4', ['10.244.0.0/16'], { Network: '10.244.0.0/16' }],
    ['IPv6', ['fd00::/56'], { EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00::/56' }],
    ['both', ['10.244.0.0/16', 'fd00::/56'], { Network: '10.244.0.0/16', EnableIPv6: true, IPv6Network: 'fd00::/56' }],
    [
      'both, IPv6 first',
      ['fd00::/56', '10.244.0.0/16'],
      { Network: '10.244.0.0/16', EnableIPv6: true, IPv6Network: 'fd00::/56' },
    ],
  ])('configures the network for %s', (_name, podSubnets, expected) => {
    expect(networkOf(podSubnets)).toEqual({ ...expected, Backend: { Type: 'vxlan' } });
  });

  it('is all the objects of flannel, with the images of the catalog', () => {
    const objects = objectsOf(['10.244.0.0/16']);

    expect(Object.keys(objects)).toEqual([
      'Namespace',
      'ServiceAccount',
      'ClusterRole',
      'ClusterRoleBinding',
      'ConfigMap',
      'DaemonSet',
    ]);
    expect(objects['DaemonSet']).toMatchObject({
      spec: {
        template: {
          spec: {
            initContainers: [{ image: images[1] }],
            containers: [
              {
                image: images[0],
                args: expect.arrayContaining(['--iface=$(HOST_IP)']) as string[],
                env: expect.arrayContaining([
                  { name: 'KUBERNETES_SERVICE_HOST', value: 'fd00::1' },
                  { name: 'KUBERNETES_SERVICE_PORT', value: '6443' },
                ]) as object[],
              },
            ],
          },
        },
      },
    });
    const { data } = objects['ConfigMap'] as { data: Record<string, string> };
    expect(JSON.parse(data['cni-conf.json'] ?? '')).toMatchObject({ name: 'cbr0', cniVersion: '0.3.1' });
  });

  it('rolls the pods when, and only when, their configuration is another', () => {
    const digestOf = (podSubnets: readonly string[]): unknown =>
      (objectsOf(podSubnets)['DaemonSet'] as { spec: { template: { metadata: { annotations: unknown } } } }).spec
        .template.metadata.annotations;

    expect(digestOf(['10.244.0.0/16'])).toEqual(digestOf(['10.244.0.0/16']));
    expect(digestOf(['10.244.0.0/16'])).not.toEqual(digestOf(['10.245.0.0/16']));
  });

  it('refuses a catalog without its images', () => {
    expect(() => renderFlannel({ podSubnets: [], images: ['x/flannel:1'], endpoint })).toThrow(InternalError);
  });
});

describe('withoutKubernetesRules', () => {
  const own = `# Generated by iptables-save v1.8.9
*filter
:INPUT DROP [12:3456]
:FORWARD ACCEPT [0:0]
:DOCKER-USER - [0:0]
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A INPUT -m comment --comment "KUBE-LIKE words -g" -j ACCEPT
-A FORWARD -j DOCKER-USER
-A INPUT -s 10.0.0.0/8 -m comment --comment "to CNI-NET" -j ACCEPT
COMMIT
`;
  const theirs = [
    ':KUBE-FORWARD - [0:0]',
    ':CNI-HOSTPORT-DNAT - [0:0]',
    ':FLANNEL-FWD - [0:0]',
    '-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL',
    '-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD',
    '-A OUTPUT -m addrtype --dst-type LOCAL -g CNI-HOSTPORT-DNAT',
    '-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP',
    '-A CNI-DN-0a1b -s 10.244.0.0/24 -j RETURN',
  ];

  it('takes the chains of Kubernetes and every jump to them away, and keeps all the rest as it is', () => {
    const mixed = own.replace('-A INPUT -p tcp', `${theirs.join('\n')}\n-A INPUT -p tcp`);

    expect(withoutKubernetesRules(mixed)).toBe(own);
  });

  it.each(theirs)('finds %s', (line) => {
    expect(withoutKubernetesRules(`*filter\n${line}\nCOMMIT\n`)).toBe('*filter\nCOMMIT\n');
  });

  it.each([own, '', '*nat\nCOMMIT\n'])('finds nothing where nothing is of Kubernetes', (text) => {
    expect(withoutKubernetesRules(text)).toBeUndefined();
  });
});
