import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parse } from 'yaml';
import { openBundle } from '../../src/bundle/bundle.ts';
import { filesHandler } from '../../src/bundle/serve-files.ts';
import type { WriteResult } from '../../src/bundle/write-bundle.ts';
import { verifyBundle } from '../../src/bundle/verify.ts';
import { toStoredManifest } from '../../src/oci/manifest.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { createRegistryStore } from '../../src/oci/registry.ts';
import { serveRegistry } from '../../src/oci/serve.ts';
import type { ChartSource } from '../../src/spec/bundle-extras.ts';
import { withSupply } from '../../src/workflows/use-bundle.ts';
import { packChart, publishChart, withExtras } from '../support/bundle/charts.ts';
import { openSite, type Site } from '../support/bundle/site.ts';
import { makeImage, putImage, randomBlob, toBlob, type TestBlob } from '../support/oci/images.ts';

let dir: string;
let site: Site;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bundle-charts-'));
  site = await openSite(dir);
});
afterEach(async () => {
  await site.close();
  await rm(dir, { recursive: true, force: true });
});

const web = packChart('web', {
  'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.2.3\nappVersion: "7"\n',
  'values.yaml': 'image: { repository: ghcr.io/shop/web }\n',
  'templates/a.yaml': 'image: "{{ .Values.image.repository }}:{{ .Chart.AppVersion }}"\n',
});

async function putAppImage(repository: string): Promise<void> {
  const store = createRegistryStore();
  await putImage(store, parseReference(`${site.registry.host}/${repository}`), makeImage([randomBlob(2000)]));
  await store.close();
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const chart = { name: 'web', version: '1.2.3', repository: 'https://charts.example.com/stable', images: [] };

it('a bundle holds charts of repositories, the images that they name, further images and files, and serves them', async () => {
  publishChart(site, 'web', '1.2.3', web, sha256(web));
  await putAppImage('shop/web:8');
  await putAppImage('tools/shell:1');
  const values = join(dir, 'values.yaml');
  await writeFile(values, 'image: { tag: "8" }\n');
  site.files.contents.set('/charts.example.com/tool.bin', Buffer.from('a tool'));
  const tool = { url: 'https://charts.example.com/tool.bin', sha256: sha256(Buffer.from('a tool')) };
  const config = withExtras(site, { charts: [{ ...chart, values }], images: ['ghcr.io/tools/shell:1'], files: [tool] });
  const path = join(dir, 'site.tar');

  const { manifest } = await site.create({ path, config });

  const found = manifest.items.filter(({ name }) => /shop|shell|^web$|tool/.test(name));
  expect(found.map(({ kind, name, pin, why }) => [kind, name, pin, why[0]])).toEqual([
    ['chart', 'web', 'published', 'a chart of spec.bundle.charts'],
    ['file', 'tool.bin', 'reference', 'listed in spec.bundle.files'],
    ['image', 'ghcr.io/shop/web:8', 'tag', 'value image of chart web 1.2.3'],
    ['image', 'ghcr.io/tools/shell:1', 'tag', 'listed in spec.bundle.images'],
  ]);
  const bundle = await openBundle(path);
  expect((await verifyBundle(bundle)).isWhole).toBe(true);
  const served = await serveRegistry(bundle.store, { others: filesHandler(bundle) });
  const index = parse(await (await fetch(`${served.url}/charts/index.yaml`)).text()) as {
    entries: Record<string, { version: string; digest: string; urls: string[] }[]>;
  };
  const [entry] = index.entries['web'] ?? [];
  expect(entry).toMatchObject({ version: '1.2.3', digest: sha256(web) });
  const packed = await fetch(new URL(entry?.urls[0] ?? '', `${served.url}/charts/`));
  expect(Buffer.from(await packed.arrayBuffer()).equals(web)).toBe(true);
  const file = await fetch(`${served.url}/files/charts.example.com/tool.bin`);
  expect(await file.text()).toBe('a tool');
  await served.close();
  await bundle.close();
});

it('values that ask for another image than the bundle has are found out before a host is touched', async () => {
  publishChart(site, 'web', '1.2.3', web, sha256(web));
  await putAppImage('shop/web:7');
  const values = join(dir, 'values.yaml');
  await writeFile(values, 'image: {}\n');
  const config = withExtras(site, { charts: [{ ...chart, values }] });
  const path = join(dir, 'site.tar');
  await site.create({ path, config });
  const use = (): Promise<string> =>
    withSupply(
      config,
      { path },
      () => undefined,
      () => Promise.resolve('used'),
    );

  expect(await use()).toBe('used');
  await writeFile(values, 'image: { tag: "8", repository: ghcr.io/shop/other }\n');
  await expect(use()).rejects.toMatchObject({
    errors: [{ code: 'BUNDLE_INCOMPLETE', message: expect.stringContaining('ghcr.io/shop/other:8') as string }],
  });
});

it('a chart of a registry is kept as the artifact that it is, with its provenance', async () => {
  await putAppImage('shop/web:7');
  const store = createRegistryStore();
  const layers = [
    toBlob(web, 'application/vnd.cncf.helm.chart.content.v1.tar+gzip'),
    toBlob(Buffer.from('signed'), 'application/vnd.cncf.helm.chart.provenance.v1.prov'),
  ];
  const head = toBlob(Buffer.from('{"name":"web","version":"1.2.3+a"}'), 'application/vnd.cncf.helm.config.v1+json');
  const describe = ({ descriptor: { mediaType, digest, sizeBytes } }: TestBlob): object => {
    return { mediaType, digest, size: sizeBytes };
  };
  const body = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: describe(head),
    layers: layers.map(describe),
  };
  const artifact = toStoredManifest(Buffer.from(JSON.stringify(body)), mediaTypes.ociManifest);
  await putImage(store, parseReference(`${site.registry.host}/charts/web:1.2.3_a`), {
    manifest: artifact,
    blobs: [head, ...layers],
  });
  const path = join(dir, 'site.tar');
  const charts = [{ ...chart, version: '1.2.3+a', repository: 'oci://ghcr.io/charts' }];

  const { manifest } = await site.create({ path, config: withExtras(site, { charts }) });

  const item = manifest.items.find(({ name }) => name === 'ghcr.io/charts/web:1.2.3_a');
  expect(item).toMatchObject({ kind: 'image', digest: artifact.descriptor.digest, platforms: [] });
  expect(item?.blobs).toEqual(expect.arrayContaining(layers.map(({ descriptor }) => descriptor.digest)));
  expect(manifest.items.map(({ name }) => name)).toContain('ghcr.io/shop/web:7');
  const bundle = await openBundle(path);
  const served = await serveRegistry(bundle.store);
  const got = await fetch(`${served.url}/v2/charts/web/manifests/1.2.3_a`);
  expect(Buffer.from(await got.arrayBuffer()).equals(Buffer.from(artifact.bytes))).toBe(true);
  await served.close();
  await bundle.close();
  await store.close();
});

it.each<[string, () => void, Partial<ChartSource>, object]>([
  [
    'is not there',
    () => publishChart(site, 'other', '1.2.3', web, sha256(web)),
    {},
    { code: 'BUNDLE_CHART_NOT_FOUND' },
  ],
  [
    'is another than the index says',
    () => publishChart(site, 'web', '1.2.3', web, 'b'.repeat(64)),
    {},
    { code: 'BUNDLE_CHART_DIGEST' },
  ],
  [
    'is another than the cluster file says',
    () => publishChart(site, 'web', '1.2.3', web, sha256(web)),
    { digest: `sha256:${'b'.repeat(64)}` },
    { code: 'BUNDLE_CHART_DIGEST' },
  ],
  [
    'is no archive',
    () => publishChart(site, 'web', '1.2.3', Buffer.from('x'), sha256(Buffer.from('x'))),
    {},
    { code: 'BUNDLE_CHART_INVALID' },
  ],
])('a chart that %s is an error, and nothing is fetched', async (_what, prepare, change, error) => {
  prepare();

  const failed = site.create({
    path: join(dir, 'site.tar'),
    config: withExtras(site, { charts: [{ ...chart, ...change }] }),
  });

  await expect(failed).rejects.toMatchObject({ errors: [error] });
});

it('a chart is pinned by its digest, and else taken only where that is asked for', async () => {
  publishChart(site, 'web', '1.2.3', web, sha256(web));
  await putAppImage('shop/web:7');
  const create = (digest?: `sha256:${string}`): Promise<WriteResult> =>
    site.create({
      path: join(dir, 'site.tar'),
      allowUnpinned: false,
      config: withExtras(site, {
        charts: [{ ...chart, ...(digest === undefined ? {} : { digest }) }],
        digests: Object.fromEntries([...site.images].map(([name, { manifest }]) => [name, manifest.descriptor.digest])),
      }),
    });

  await expect(create()).rejects.toMatchObject({ errors: [{ code: 'BUNDLE_UNPINNED' }] });
  await expect(create(`sha256:${sha256(web)}`)).rejects.toThrow('nothing is pinned for ghcr.io/shop/web:7');
});

it('a template whose image nobody can tell is named with its line, until the images of the chart are listed', async () => {
  const hidden = packChart('web', {
    'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.2.3\n',
    'templates/job.yaml': 'spec:\n  image: {{ $image }}\n',
  });
  publishChart(site, 'web', '1.2.3', hidden, sha256(hidden));
  await putAppImage('shop/hidden:1');
  const path = join(dir, 'site.tar');

  const failed = site.create({ path, config: withExtras(site, { charts: [chart] }) });
  await expect(failed).rejects.toMatchObject({
    errors: [
      {
        code: 'BUNDLE_CHART_IMAGES',
        message: 'nobody can tell which image templates/job.yaml of chart web 1.2.3, line 2 means: {{ $image }}',
      },
    ],
  });
  const images = ['ghcr.io/shop/hidden:1'];
  const { manifest } = await site.create({ path, config: withExtras(site, { charts: [{ ...chart, images }] }) });

  expect(manifest.items.map(({ name }) => name)).toContain('ghcr.io/shop/hidden:1');
});
