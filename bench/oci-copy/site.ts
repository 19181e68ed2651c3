import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { resolveVersions } from '../../src/artifacts/catalog.ts';
import { loadCatalogs } from '../../src/artifacts/load-catalogs.ts';
import { wantedOf } from '../../src/bundle/wanted.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { parseClusterConfig } from '../../src/spec/load.ts';
import { clusterText, FileServer, overlayOf } from '../../test/support/bundle/site.ts';

/** A cluster file that asks for the images of the bench, and a server of the small files that it asks for besides. */
export interface BenchSite {
  readonly clusterFile: string;
  close(): Promise<void>;
}

/** Writes the cluster file and the catalog that names these images as those of a Kubernetes version. */
export async function openBenchSite(dir: string, images: readonly string[]): Promise<BenchSite> {
  const plain = parseClusterConfig(clusterText({ catalogs: [], mirror: '', downloads: '' }), 'plain.yaml', dir);
  const hop = resolveVersions(await loadCatalogs(plain), plain, ['amd64']);
  const files = await new FileServer().start();
  const sums = new Map<string, string>();
  for (const { url } of wantedOf([hop]).files) {
    const { host, pathname } = new URL(url);
    files.contents.set(`/${host}${pathname}`, Buffer.from(url));
    sums.set(url, digestOf(url).slice('sha256:'.length));
  }
  const [version = ''] = Object.keys(overlayOf(hop, sums).spec.kubernetes);
  const overlay = overlayOf(hop, sums);
  const probe = images.filter((image) => image.includes('/agnhost:'));
  const catalog = join(dir, 'catalog.yaml');
  writeFileSync(
    catalog,
    stringify({
      ...overlay,
      spec: {
        ...overlay.spec,
        kubernetes: { [version]: { ...overlay.spec.kubernetes[version], images } },
        components: { ...overlay.spec.components, probe: { default: '1', versions: { 1: { images: probe } } } },
      },
    }),
  );
  const text = clusterText({ catalogs: [catalog], mirror: '', downloads: `http://127.0.0.1:${files.port}` });
  const clusterFile = join(dir, 'clusterConfig.yaml');
  writeFileSync(clusterFile, `${text}  network:\n    plugin: none\n`);
  return { clusterFile, close: () => files.close() };
}

/** Arguments of `installer bundle` that create the bundle of a site. A small program stands for the installer, for no peer carries that. */
export function createArgs(clusterFile: string, out: string): readonly string[] {
  const program = ['--platform', 'linux/amd64', '--installer', 'linux/amd64=/bin/true'];
  return ['create', '--allow-unpinned', '-c', clusterFile, '-o', out, ...program];
}
