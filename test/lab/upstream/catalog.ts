import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { MinorContent } from './content.ts';
import type { Upstream } from './ensure.ts';
import { kubernetesBinaries, kubernetesFile, releaseFile, type ReleaseFile } from './release-files.ts';
import { architecture, sharedVersions, upstreamMinors } from './versions.ts';

/** Writes one catalog file a minor, with the checksums of what the lab serves; returns their paths. */
export async function writeCatalogOverlays(
  upstream: Pick<Upstream, 'minors' | 'checksums'>,
  dir: string,
): Promise<string[]> {
  await mkdir(dir, { recursive: true });
  const files: string[] = [];
  for (const minor of upstream.minors) {
    const file = join(dir, `lab-${minor.minor}.yaml`);
    await writeFile(file, stringify(catalogOverlay(minor, upstream.checksums), { lineWidth: 0 }));
    files.push(file);
  }
  return files;
}

/** Catalog of one minor as a value. `checksums` are by path, host first; one that is missing is an error. */
export function catalogOverlay(content: MinorContent, checksums: Readonly<Record<string, string>>): object {
  const sums = ({ path }: ReleaseFile): Record<string, string> => {
    const sum = checksums[path];
    if (!sum) throw new Error(`the lab has no checksum of ${path}`);
    return { [architecture]: sum };
  };
  const one = (version: string, entry: object): object => ({ default: version, versions: { [version]: entry } });
  const component = (name: keyof typeof releaseFile, version: string): object =>
    one(version.replace(/^v/, ''), { sha256: sums(releaseFile[name](version)) });
  const { kubernetes } = content;
  const { crictl } = upstreamMinors[content.minor];
  const { containerd, runc, cniPlugins, flannel } = sharedVersions;
  const binaries = kubernetesBinaries.map((name) => [name, sums(kubernetesFile(kubernetes, name))] as const);
  return {
    apiVersion: 'installer.io/v1alpha1',
    kind: 'Catalog',
    metadata: { name: `lab-${content.minor}` },
    spec: {
      minor: content.minor,
      kubernetes: { [kubernetes]: { binaries: Object.fromEntries(binaries), images: content.images } },
      components: {
        containerd: component('containerd', containerd),
        runc: component('runc', runc),
        'cni-plugins': component('cni-plugins', cniPlugins),
        crictl: component('crictl', crictl),
        flannel: one(flannel, { images: content.flannelImages }),
      },
    },
  };
}
