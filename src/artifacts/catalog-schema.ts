import * as z from 'zod';

/** CPU architectures, as Go and Kubernetes' downloads name them. */
export const architectures = ['amd64', 'arm64'] as const;
export type Architecture = (typeof architectures)[number];

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, { error: 'must be a SHA-256 in lowercase hex, 64 digits' });
const checksums = z.partialRecord(z.enum(architectures), sha256);
const minor = z.string().regex(/^\d+\.\d+$/, { error: 'must be a minor version in quotes, such as "1.36"' });
const kubernetesVersion = z.string().regex(/^v\d+\.\d+\.\d+$/, { error: 'must be a version of the form vX.Y.Z' });
const image = z.string().regex(/^[^/\s]+\/\S+(:[^\s/]+|@sha256:[0-9a-f]{64})$/, {
  error: 'must be an image reference with registry and tag',
});

/** Kubernetes' own binaries; their place on the download host follows from name, version and architecture. */
export const kubernetesBinaries = ['kubeadm', 'kubelet', 'kubectl'] as const;
export type KubernetesBinary = (typeof kubernetesBinaries)[number];

const kubernetesRelease = z.strictObject({
  binaries: z.partialRecord(z.enum(kubernetesBinaries), checksums).optional(),
  images: z.array(image).optional(),
});

/** Addresses are shown and kept: spec.artifacts.servers says who we are. */
const withoutLogin = { pattern: /^(?![a-z]+:\/\/[^/?#]*@)/, error: 'must not hold a user name or password' };
const url = z
  .string()
  .regex(/^https?:\/\/[^\s]+$/, { error: 'must be a URL beginning with http:// or https://' })
  .regex(withoutLogin.pattern, { error: withoutLogin.error });
const checksumUrl = z
  .string()
  .regex(/^(https?:\/\/|\{url\})\S+$/, { error: 'must be a URL beginning with http://, https:// or {url}' })
  .regex(withoutLogin.pattern, { error: withoutLogin.error });

const componentRelease = z.strictObject({
  /** {arch} and {version} are filled in. */
  url: url.optional(),
  /** {url}, {arch} and {version} are filled in. The file holds one checksum, or lines of checksum and file name. */
  checksumUrl: checksumUrl.optional(),
  sha256: checksums.optional(),
  images: z.array(image).optional(),
});

const component = z.strictObject({
  default: z.string().optional(),
  versions: z.record(z.string(), componentRelease).default({}),
});

/** Everything beside Kubernetes itself that a cluster is made of. */
export const componentNames = ['containerd', 'runc', 'cni-plugins', 'crictl', 'flannel', 'probe'] as const;
export type ComponentName = (typeof componentNames)[number];

/** One catalog file: the versions that go with one Kubernetes minor. An overlay gives only what differs. */
export const catalogSchema = z.strictObject({
  apiVersion: z.literal('installer.io/v1alpha1'),
  kind: z.literal('Catalog'),
  metadata: z.strictObject({ name: z.string().min(1) }),
  spec: z.strictObject({
    minor,
    defaultVersion: kubernetesVersion.optional(),
    kubernetes: z.record(kubernetesVersion, kubernetesRelease).default({}),
    components: z.partialRecord(z.enum(componentNames), component).default({}),
  }),
});

export type Catalog = z.output<typeof catalogSchema>;
export type CatalogRelease = z.output<typeof componentRelease>;
