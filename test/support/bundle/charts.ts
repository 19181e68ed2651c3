import { gzipSync } from 'node:zlib';
import type { BundleExtras } from '../../../src/spec/bundle-extras.ts';
import type { ClusterConfig } from '../../../src/spec/schema.ts';
import type { Site } from './site.ts';

/** A packed chart of these files: what `helm package` makes. */
export function packChart(name: string, files: Readonly<Record<string, string | Buffer>>): Buffer {
  const blocks: Buffer[] = [];
  for (const [path, content] of Object.entries(files)) {
    const bytes = Buffer.from(content);
    const header = Buffer.alloc(512);
    header.write(`${name}/${path}`, 0);
    header.write('0000644\0', 100);
    header.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write('00000000000\0', 136);
    header.write('        ', 148);
    header.write('0', 156);
    header.write('ustar\0', 257);
    header.write('00', 263);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    blocks.push(header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512));
  }
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

/** The site's cluster file with a bundle that holds more; the host of its charts is the site's server of files. */
export function withExtras({ config, files }: Site, extras: Partial<BundleExtras>): ClusterConfig {
  const { spec } = config;
  const mirrors = {
    ...spec.artifacts.mirrors,
    'charts.example.com': `http://127.0.0.1:${files.port}/charts.example.com`,
  };
  const bundle = { images: [], charts: [], files: [], digests: {}, ...extras };
  return { ...config, spec: { ...spec, artifacts: { ...spec.artifacts, mirrors }, bundle } };
}

/** Puts a chart into the repository https://charts.example.com/stable, beside an older one that is not there. */
export function publishChart({ files }: Site, name: string, version: string, archive: Buffer, digest?: string): void {
  const entry = { apiVersion: 'v2', name, version, digest, urls: [`files/${name}-${version}.tgz`] };
  const index = { apiVersion: 'v1', entries: { [name]: [{ ...entry, version: '0.0.1' }, entry] } };
  files.contents.set('/charts.example.com/stable/index.yaml', Buffer.from(JSON.stringify(index)));
  files.contents.set(`/charts.example.com/stable/files/${name}-${version}.tgz`, archive);
}
