import * as z from 'zod';
import { defaultApiPort, hostRoles, knownHostsPolicies, networkPlugins, sshDefaults } from './config.ts';
import {
  checkAddress,
  checkBaseUrl,
  checkCidr,
  checkClusterName,
  checkContainerdVersion,
  checkEndpoint,
  checkHostName,
  checkInterfaceName,
  checkIp,
  checkKubernetesVersion,
  checkLabelKey,
  checkLabelValue,
  checkTaint,
  checkUserName,
} from './formats.ts';
import { checks } from './schema-checks.ts';
import { hostSettings } from './schema-host-settings.ts';
import { osPackages } from './schema-os-packages.ts';
import { bundleExtras } from './schema-bundle.ts';
import { server } from './schema-servers.ts';
import { byServer, freeForm, path, port, secretSource, text } from './schema-values.ts';

export type * from './config.ts';

const knownHosts = z
  .preprocess(
    (value) => (typeof value === 'string' ? { policy: value } : value),
    z.strictObject({
      policy: z.enum(knownHostsPolicies).optional().meta({
        fieldDefault: sshDefaults.knownHosts.policy,
        description:
          'strict: the key of a host must already be known. accept-new: the key of a host never seen before is recorded; a changed key is always refused.',
      }),
      file: path
        .optional()
        .meta({ fieldDefault: sshDefaults.knownHosts.file, description: 'File with the known host keys.' }),
    }),
  )
  .meta({
    fieldDefault: 'the defaults below',
    description: 'How host keys are checked. The policy alone may stand here: `knownHosts: accept-new`.',
  });

const connectTimeoutSeconds = z
  .number()
  .int()
  .min(1)
  .max(600)
  .optional()
  .meta({
    fieldType: 'seconds',
    fieldDefault: String(sshDefaults.connectTimeoutSeconds),
    description: 'Time for a connection to be made.',
  });

const bastion = z.strictObject({
  address: text(checkAddress, 'IP or DNS name').describe('Where SSH connects.'),
  port: port.optional().meta({ fieldDefault: String(sshDefaults.port), description: 'Port of its SSH server.' }),
  user: text(checkUserName, 'user name')
    .optional()
    .meta({ fieldDefault: 'the user beside it', description: 'User to log in as; it needs no shell and no sudo.' }),
  keyFile: path.optional().meta({ fieldDefault: 'the key beside it', description: 'Private key to log in with.' }),
  knownHosts: knownHosts.optional().meta({ fieldDefault: 'those beside it' }),
  password: secretSource.optional().describe('Password to log in with, where keys are not accepted.'),
  keyPassphrase: secretSource.optional().describe('Passphrase of keyFile.'),
  connectTimeoutSeconds,
});

/** No defaults here: the same settings stand under spec.ssh and under a host, and what a host leaves out is taken from spec.ssh. */
const ssh = z.strictObject({
  user: text(checkUserName, 'user name')
    .optional()
    .meta({ fieldDefault: sshDefaults.user, description: 'User to log in as; a user other than root needs sudo.' }),
  port: port.optional().meta({ fieldDefault: String(sshDefaults.port), description: 'Port of the SSH server.' }),
  keyFile: path.optional().meta({
    fieldDefault: 'the SSH agent, then ~/.ssh/id_ed25519, id_ecdsa and id_rsa',
    description: 'Private key to log in with.',
  }),
  knownHosts: knownHosts.optional(),
  password: secretSource.optional().describe('Password to log in with, where keys are not accepted.'),
  sudoPassword: secretSource.optional().describe('Password for sudo; asked for only where sudo needs one.'),
  keyPassphrase: secretSource.optional().describe('Passphrase of keyFile.'),
  connectTimeoutSeconds,
  bastion: bastion
    .optional()
    .describe('Host through which the others are reached: one connection to it, and a channel in that for each host.'),
});

const host = z.strictObject({
  name: text(checkHostName, 'host name').describe('Name of the node; unique.'),
  address: text(checkAddress, 'IP or DNS name').describe('Where SSH connects; unique together with the SSH port.'),
  internalAddress: text(checkIp, 'IP').optional().meta({
    fieldDefault: '`address` where that is an IP',
    description: 'Address of the node inside the cluster; unique.',
  }),
  roles: z.array(z.enum(hostRoles)).min(1).describe('What the host is in the cluster; both roles may stand together.'),
  labels: z
    .record(text(checkLabelKey, 'label key'), text(checkLabelValue, 'label value'))
    .default({})
    .describe('Labels of the node.'),
  taints: z
    .array(text(checkTaint, 'taint'))
    .default([])
    .describe(
      'Taints of the node, each `key=value:Effect` or `key:Effect` with NoSchedule, PreferNoSchedule or NoExecute.',
    ),
  ssh: ssh.optional().meta({
    fieldDefault: 'spec.ssh',
    description: 'SSH settings of this host; what is left out is taken from spec.ssh.',
  }),
  local: z.boolean().default(false).describe('True for the machine that the installer runs on: no SSH is used.'),
});

const kubernetes = z.strictObject({
  version: text(checkKubernetesVersion, 'vX.Y.Z')
    .optional()
    .meta({ fieldDefault: 'the newest of the catalog', description: 'Kubernetes version.' }),
  kubelet: freeForm
    .default({})
    .describe(
      'Fields of KubeletConfiguration (kubelet.config.k8s.io/v1beta1), laid over those that the installer writes.',
    ),
  kubeProxy: freeForm
    .default({})
    .describe(
      'Fields of KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1), laid over those that the installer writes.',
    ),
  ignorePreflightErrors: z
    .array(z.string().min(1))
    .default([])
    .describe('Names of kubeadm checks whose errors become warnings, such as SystemVerification.'),
  controlPlaneEndpoint: text(checkEndpoint, 'host[:port]')
    .optional()
    .meta({
      fieldDefault: 'virtualAddress, else the address of the control plane',
      description: `Stable address of the API server; the port defaults to ${defaultApiPort}.`,
    }),
  virtualAddress: z
    .strictObject({
      address: text(checkIp, 'IPv4').describe('The address: in the subnet of the interface, and held by nobody else.'),
      interface: text(checkInterfaceName, 'interface').optional().meta({
        fieldDefault: 'that of the node address',
        description: 'Interface of the control plane that is given the address.',
      }),
    })
    .optional()
    .describe(
      'An address of its own for the API server. The control plane holds it, from boot on, and the cluster goes on when another machine takes its place with the same address. With one control plane there is nobody to fail over to.',
    ),
});

const cidrList = z.array(text(checkCidr, 'CIDR')).min(1).max(2);

const network = z.strictObject({
  plugin: z
    .enum(networkPlugins)
    .default('flannel')
    .describe('Network plugin; none leaves it to you, and nodes stay NotReady until there is one.'),
  podSubnets: cidrList
    .default(['10.244.0.0/16'])
    .describe('Network of the pods; for dual stack one IPv4 and one IPv6 network, the primary one first.'),
  serviceSubnets: cidrList
    .default(['10.96.0.0/12'])
    .describe('Network of the services, with the same families in the same order as podSubnets.'),
});

const registry = z.strictObject({
  mirrors: z
    .array(text(checkBaseUrl, 'URL'))
    .default([])
    .describe('Base URLs asked before the registry itself, in this order.'),
  ca: path.optional().describe('PEM file with the certificate authority of the registry and its mirrors.'),
  insecure: z.boolean().default(false).describe('True: TLS certificates are not verified.'),
  credentials: z
    .strictObject({
      username: z.string().min(1).describe('User of the registry.'),
      password: secretSource.describe('Password or token of the user.'),
    })
    .optional()
    .describe('Login at the registry and its mirrors.'),
});

const runtime = z.strictObject({
  containerd: z
    .strictObject({
      version: text(checkContainerdVersion, 'X.Y.Z')
        .optional()
        .meta({ fieldDefault: 'that of the catalog', description: 'containerd version; the catalog must list it.' }),
      config: freeForm
        .default({})
        .describe('Settings of containerd, laid over the config.toml that the installer writes.'),
    })
    .prefault({})
    .describe('The container runtime.'),
  registries: byServer(registry)
    .default({})
    .describe('How images of a registry are reached, by the registry host that stands in image references.'),
});

const artifacts = z.strictObject({
  mirrors: byServer(text(checkBaseUrl, 'URL'))
    .default({})
    .describe('By download host, such as dl.k8s.io or github.com: the base URL asked in its place.'),
  servers: byServer(server)
    .default({})
    .describe(
      'Servers with a certificate authority or a login of their own, by the host that is asked (that of the mirror, where there is one): for binaries, charts over HTTP, files and packages, those that `bundle create` fetches and those that hosts fetch.',
    ),
  catalogs: z.array(path).default([]).describe('Catalog files laid over the built-in version catalog, in this order.'),
});

/** The cluster file as it is written; normaliseClusterFile makes the ClusterConfig of it. */
export const clusterFileSchema = z.strictObject({
  apiVersion: z.literal('installer.io/v1alpha1').describe('Version of this format.'),
  kind: z.literal('ClusterConfig').describe('Kind of this file.'),
  metadata: z
    .strictObject({ name: text(checkClusterName, 'name').describe('Name of the cluster.') })
    .describe('What the cluster is called.'),
  spec: z
    .strictObject({
      ssh: ssh.prefault({}).describe('How hosts are reached.'),
      hosts: z.array(host).default([]).describe('The machines of the cluster; at least one.'),
      kubernetes: kubernetes.prefault({}).describe('Kubernetes and its components.'),
      network: network.prefault({}).describe('Network of pods and services.'),
      runtime: runtime.prefault({}).describe('Container runtime and the registries that it pulls from.'),
      artifacts: artifacts.prefault({}).describe('Where binaries and images come from.'),
      checks: checks.prefault({}).describe('What is expected of the hosts; docs/checks.md lists the checks.'),
      hostSettings: hostSettings
        .prefault({})
        .describe('How the hosts are set up; docs/tuning.md has every change, and how it is undone.'),
      osPackages: osPackages.prefault({}).describe('Packages of the distributions that a bundle holds.'),
      bundle: bundleExtras.prefault({}).describe('What a bundle holds for the site, beside what the cluster needs.'),
    })
    .describe('The wanted cluster.'),
});

export type ClusterFile = z.output<typeof clusterFileSchema>;
export type SshFields = z.output<typeof ssh>;
