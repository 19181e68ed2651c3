import { stringify } from 'yaml';
import { type FieldDoc, listFields } from './fields.ts';
import { clusterFileSchema } from './schema.ts';

const example = {
  apiVersion: 'installer.io/v1alpha1',
  kind: 'ClusterConfig',
  metadata: { name: 'demo' },
  spec: {
    ssh: { user: 'ops', keyFile: '~/.ssh/id_ed25519' },
    hosts: [
      { name: 'cp1', address: '10.0.0.11', roles: ['control-plane'] },
      { name: 'worker1', address: '10.0.0.12', roles: ['worker'], labels: { 'example.com/disk': 'fast' } },
    ],
  },
};

const catalogExample = {
  apiVersion: 'installer.io/v1alpha1',
  kind: 'Catalog',
  metadata: { name: 'site' },
  spec: {
    minor: '1.36',
    defaultVersion: 'v1.36.3',
    components: {
      runc: {
        default: '1.4.3',
        versions: { '1.4.3': { url: 'https://downloads.example.com/runc-{version}-{arch}' } },
      },
      probe: { default: 'site', versions: { site: { images: ['registry.example.com/probe:1.0'] } } },
    },
  },
};

const introduction = `# The cluster file

One YAML file describes one cluster. Every command that works on a cluster takes it.

\`\`\`yaml
${stringify(example, { flowCollectionPadding: true }).trimEnd()}
\`\`\`

- The file is checked before anything is done: an unknown key, a wrong type or two fields that do not fit together are
  errors, each with its line and column, and all of them are shown at once.
- A relative path leads from the folder of the cluster file; \`~/\` is the home folder of the user who runs the installer.
- A **secret** is never written in the file. Name where it is read from: \`{ env: NAME }\`, an environment variable of the
  installer, or \`{ file: path }\`, a file whose content, without its last line break, is the secret.
- A **free-form map** is passed on as it is: maps are merged key by key, and any other value replaces that of the installer.
- YAML anchors, aliases and merge keys (\`<<\`) can be used. One file holds one document.
- This version creates clusters with one control plane.
- Subnets must not overlap each other or the addresses of the hosts. Every node takes a /24 (IPv6: a /64) of each pod subnet.

In the tables below, \`[]\` stands for each entry of a list, and \`<…>\` for a key that you choose.
`;

const catalogs = `## Catalog files

The installer knows the versions that go with each supported Kubernetes minor, and the checksums of their downloads. A file
under \`spec.artifacts.catalogs\` is laid over what is built in for its minor: maps are merged key by key, and any other value,
a list of images included, replaces the built-in one. A minor that is not built in is added.

\`\`\`yaml
${stringify(catalogExample, { flowCollectionPadding: true }).trimEnd()}
\`\`\`

- \`spec.kubernetes.<vX.Y.Z>.binaries\` holds the SHA-256 of kubeadm, kubelet and kubectl by architecture (\`amd64\`, \`arm64\`);
  \`images\` is the whole list of \`kubeadm config images list\`.
- The components are containerd, runc, cni-plugins and crictl (versions without a leading v), and flannel and probe, which have
  images only. \`default\` is the version taken.
- In \`url\` and \`checksumUrl\`, \`{arch}\` and \`{version}\` are filled in, and in \`checksumUrl\` also \`{url}\`. The checksum that is
  published there is used where no \`sha256\` is given; the run says so.
`;

const serversExample = {
  spec: {
    artifacts: {
      mirrors: { 'dl.k8s.io': 'https://repo.example.com/k8s', 'github.com': 'https://repo.example.com/github' },
      servers: {
        'repo.example.com': {
          ca: './company-ca.pem',
          credentials: { username: 'reader', password: { file: './repo-password' } },
        },
        'charts.example.com:8443': { credentials: { token: { env: 'CHARTS_TOKEN' } } },
      },
    },
  },
};

const servers = `## Servers with a login or an authority of their own

What is not an image comes over HTTP: binaries, charts of chart repositories, \`spec.bundle.files\` and packages. Where a server of these
wants to know who asks, or has a certificate that only the company vouches for, it is named with the host that is asked: that of the mirror where
\`mirrors\` leads to one. Registries have their own settings under \`spec.runtime.registries\`.

\`\`\`yaml
${stringify(serversExample, { flowCollectionPadding: true }).trimEnd()}
\`\`\`

- A login goes to that scheme, host and port and to nothing that it redirects to. An address with a user or password in it is refused wherever it stands.
- \`bundle create\` uses it for everything that it fetches. Proxies of the environment (HTTPS_PROXY, HTTP_PROXY, NO_PROXY) stay in use.
- Hosts that fetch release files themselves use it too, with curl; wget alone is not enough. With \`--bundle\` they fetch none.
- For \`hostSettings.packageRepositories\` on such a server, hosts are given the login where root alone reads it: apt in
  /etc/apt/auth.conf.d, dnf and yum in the file of the repositories (mode 0600), zypper in /etc/zypp/credentials.d. The authority is
  trusted for that server alone. \`reset\` and \`restore-host\` take both away.
- Package managers know no token, and zypper no authority for one server: both are refused with what to do instead.
`;

const packagesExample = {
  spec: {
    osPackages: {
      distributions: [
        {
          id: 'debian',
          version: '12',
          repositories: [
            {
              url: 'http://deb.debian.org/debian',
              suites: ['bookworm', 'bookworm-updates'],
              components: ['main'],
              keyFile: './debian-archive-keyring.gpg',
            },
          ],
          groups: ['base', 'nfs'],
        },
        { id: 'rocky', version: '9.6', keyFile: './RPM-GPG-KEY-Rocky-9', packages: ['jq'] },
      ],
    },
  },
};

const packages = `## Packages of distributions

\`installer bundle create\` finds what hosts of each distribution may be told to install: packages of tools that they lack
(\`hostSettings.installTools\`), those of \`hostSettings.packages\`, and chrony for \`hostSettings.ntp\`, with all that these depend on, for every
architecture of \`--platform\`. Groups and further packages come on top. The vendor's repositories are taken where none is named.

\`\`\`yaml
${stringify(packagesExample, { flowCollectionPadding: true }).trimEnd()}
\`\`\`

- A name that no repository has ends the command, with all such names and where each stands.
- Every index has to be signed by the key that is given; what \`allowUnsigned\` lets in is marked in the bundle.
- The hosts are led to the repositories of the bundle with \`hostSettings.packageRepositories\`: docs/registry-mapping.md; a run with --bundle takes from them by itself.
`;

/** The text of docs/cluster-file.md: the same for the same schema. */
export function renderClusterFileDocs(): string {
  const fields = listFields(clusterFileSchema);
  const sections = Map.groupBy(fields, ({ path }) => sectionOf(path));
  const tables = [...sections].map(([section, rows]) => renderSection(section, rows));
  return [introduction, ...tables, servers, packages, catalogs].join('\n');
}

/** `spec.hosts` for everything below it; the fields above spec are one section. */
function sectionOf(path: string): string {
  const [first, second] = path.split(/\.|\[\]/);
  return first === 'spec' && second !== undefined ? `spec.${second}` : '';
}

function renderSection(section: string, fields: readonly FieldDoc[]): string {
  const title = section === '' ? '## The file' : `## ${section}`;
  const self = fields.find(({ path }) => path === section);
  const rows = fields.filter((field) => field !== self);
  return [
    title,
    '',
    ...(self === undefined ? [] : [self.description, '']),
    '| field | type | default | meaning |',
    '| --- | --- | --- | --- |',
    ...rows.map(renderRow),
    '',
  ].join('\n');
}

function renderRow({ path, type, fallback, description }: FieldDoc): string {
  return `| ${[`\`${path}\``, type, fallback ?? '**required**', description].map(escapeCell).join(' | ')} |`;
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|');
}
