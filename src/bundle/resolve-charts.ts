import { createHash } from 'node:crypto';
import { parse } from 'yaml';
import { readNamedFile } from '../artifacts/load-catalogs.ts';
import { mirrorUrl } from '../artifacts/mirror.ts';
import { InstallerErrors, messageOf } from '../errors.ts';
import { isPlain } from '../lib/merge.ts';
import type { Digest } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import { readBlob } from '../oci/read-blob.ts';
import { formatReference, parseReference } from '../oci/reference.ts';
import { readAll, verifying } from '../oci/verify.ts';
import type { OciStore } from '../oci/store.ts';
import type { WebFiles } from '../oci/web-files.ts';
import type { ChartSource } from '../spec/bundle-extras.ts';
import type { Bundle } from './bundle.ts';
import { bundleError, bundleUsage } from './bundle-errors.ts';
import { readChart } from './chart-archive.ts';
import { chartReference } from './chart-reference.ts';
import { findChartImages } from './chart-images.ts';
import type { BundleItem } from './manifest.ts';
import { memorySource } from './sources.ts';
import { valuesOf } from './values-of.ts';
import type { WantedImage } from './wanted.ts';
import type { BlobSource } from './write-bundle.ts';

/** Charts as they were found, and what comes with them. */
export interface ResolvedCharts {
  /** Those of chart repositories: files. */
  readonly files: readonly { readonly item: BundleItem; readonly source: BlobSource }[];
  /** Those of registries, which are artifacts there. */
  readonly artifacts: readonly WantedImage[];
  /** The images that all of them name. */
  readonly images: readonly WantedImage[];
}

export interface ResolveChartsOptions {
  /** spec.artifacts.mirrors. */
  readonly mirrors: Readonly<Record<string, string>>;
  readonly allowUnpinned: boolean;
  readonly signal?: AbortSignal | undefined;
}

const maxChartBytes = 64 * 1024 * 1024;
const contentType = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip';

/**
 * Fetches the charts, for what is in them says which images come along. BUNDLE_CHART_NOT_FOUND, BUNDLE_CHART_INVALID, BUNDLE_UNPINNED
 * where a repository gives no checksum, BUNDLE_CHART_IMAGES where a template takes an image from where nobody can read it.
 */
export async function resolveCharts(
  web: WebFiles,
  registry: OciStore,
  charts: readonly ChartSource[],
  options: ResolveChartsOptions,
): Promise<ResolvedCharts> {
  const results = valuesOf(
    await Promise.allSettled(
      charts.map(async (chart) => {
        const isOci = chart.repository.startsWith('oci://');
        const found = isOci ? await fromRegistry(registry, chart, options) : await fromWeb(web, chart, options);
        return { ...found, named: await imagesOf(chart, found.archive) };
      }),
    ),
  );
  return {
    files: results.flatMap(({ file }) => file ?? []),
    artifacts: results.flatMap(({ artifact }) => artifact ?? []),
    images: results.flatMap(({ named }) => named),
  };
}

interface FoundChart {
  readonly archive: Buffer;
  readonly file?: { readonly item: BundleItem; readonly source: BlobSource };
  readonly artifact?: WantedImage;
}

/**
 * The images that charts of the cluster file need now, read out of the charts in a bundle: values may have changed since it was made. Charts
 * that are not in the bundle are none of this function's business. Errors as of resolveCharts.
 */
export async function imagesOfChartsIn(
  bundle: Bundle,
  charts: readonly ChartSource[],
): Promise<readonly WantedImage[]> {
  const found: WantedImage[] = [];
  for (const chart of charts) {
    const archive = await archiveIn(bundle, chart);
    if (archive !== undefined) found.push(...(await imagesOf(chart, archive)));
  }
  return found;
}

async function archiveIn(bundle: Bundle, chart: ChartSource): Promise<Buffer | undefined> {
  const { items } = bundle.manifest;
  if (chart.repository.startsWith('oci://')) {
    const name = chartReference(chart);
    if (!items.some((item) => item.kind === 'image' && item.name === name)) return undefined;
    return (await fromRegistry(bundle.store, chart, {})).archive;
  }
  const item = items.find(
    ({ kind, name, version }) => kind === 'chart' && name === chart.name && version === chart.version,
  );
  if (item === undefined) return undefined;
  return readAll(verifying(bundle.openBlob(item), item, bundle.path), maxChartBytes, item.name, bundle.path);
}

async function fromRegistry(
  registry: OciStore,
  chart: ChartSource,
  { signal }: Pick<ResolveChartsOptions, 'signal'>,
): Promise<FoundChart> {
  const name = chartReference(chart);
  const named = parseReference(name);
  const reference = chart.digest === undefined ? named : { ...named, digest: chart.digest };
  const manifest = parseManifest(await registry.readManifest(reference, { signal }), name);
  const layer =
    manifest.kind === 'image' ? manifest.layers.find(({ mediaType }) => mediaType === contentType) : undefined;
  if (layer === undefined) throw invalid(name, `it has no layer of the type ${contentType}`);
  const archive = await readBlob(registry, reference, layer, { signal });
  return { archive, artifact: { name, digest: chart.digest, why: ['a chart of spec.bundle.charts'] } };
}

async function fromWeb(web: WebFiles, chart: ChartSource, options: ResolveChartsOptions): Promise<FoundChart> {
  const { name, version, repository } = chart;
  const { mirrors, signal, allowUnpinned } = options;
  const indexUrl = `${repository}/index.yaml`;
  const index = parseIndex(await readWhole(web, mirrorUrl(indexUrl, mirrors), signal), indexUrl);
  const entries = index[name];
  const entry = (Array.isArray(entries) ? entries : []).find((item) => isPlain(item) && item['version'] === version) as
    Readonly<Record<string, unknown>> | undefined;
  const [address] = Array.isArray(entry?.['urls']) ? (entry['urls'] as unknown[]) : [];
  if (typeof address !== 'string') {
    throw bundleError(
      'CHART_NOT_FOUND',
      `${indexUrl} has no chart ${name} ${version}`,
      'check name and version; the version stands there exactly as it is written here',
    );
  }
  const url = new URL(address, `${repository}/`).href;
  const archive = await readWhole(web, mirrorUrl(url, mirrors), signal);
  const hex = createHash('sha256').update(archive).digest('hex');
  const published =
    typeof entry?.['digest'] === 'string' ? entry['digest'].replace(/^sha256:/, '').toLowerCase() : undefined;
  const pinned = chart.digest?.replace(/^sha256:/, '');
  if (pinned === undefined && !allowUnpinned) {
    throw bundleUsage(
      'UNPINNED',
      `nothing is pinned for the chart ${name} ${version} of ${repository}`,
      'give its digest in spec.bundle.charts, or take what the repository says now with --allow-unpinned',
    );
  }
  const said = pinned ?? published;
  if (said !== undefined && said !== hex) {
    throw bundleError(
      'CHART_DIGEST',
      `${url} has the checksum ${hex}, and ${pinned === undefined ? indexUrl : 'the cluster file'} says ${said}`,
      'see which of both is right; nothing of it was taken',
    );
  }
  const digest: Digest = `sha256:${hex}`;
  const blob = { digest, sizeBytes: archive.length };
  const item: BundleItem = {
    kind: 'chart',
    name,
    version,
    platforms: [],
    why: ['a chart of spec.bundle.charts'],
    ...blob,
    origin: url,
    pin: pinned === undefined ? 'published' : 'reference',
    blobs: [digest],
  };
  return { archive, file: { item, source: memorySource(archive, blob, url) } };
}

async function imagesOf(chart: ChartSource, archive: Buffer): Promise<readonly WantedImage[]> {
  const what = `chart ${chart.name} ${chart.version}`;
  const given =
    chart.values === undefined ? {} : (parse(await readNamedFile(chart.values, `values of ${what}`)) as unknown);
  if (given !== null && !isPlain(given)) throw invalid(chart.values ?? '', 'values are a map');
  const { images, uncovered } = findChartImages(readChart(archive, what), given ?? {}, what);
  if (uncovered.length > 0 && chart.images.length === 0) {
    throw new InstallerErrors(
      uncovered.map(({ place, text }) =>
        bundleError(
          'CHART_IMAGES',
          `nobody can tell which image ${place} means: ${text}`,
          `name all images of the chart under images of ${chart.name} in spec.bundle.charts`,
        ),
      ),
    );
  }
  const listed = chart.images.map((image) => ({
    name: formatReference(parseReference(image)),
    why: [`listed for ${what} in spec.bundle.charts`],
  }));
  return [...[...images].map(([name, why]) => ({ name, why })), ...listed];
}

async function readWhole(web: WebFiles, url: string, signal: AbortSignal | undefined): Promise<Buffer> {
  const stream = await web.read(url, { signal });
  if (stream === undefined) {
    throw bundleError(
      'CHART_NOT_FOUND',
      `${url} is not there`,
      'check the repository of the chart in spec.bundle.charts',
    );
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > maxChartBytes) throw invalid(url, `it has more than ${maxChartBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parseIndex(bytes: Buffer, url: string): Readonly<Record<string, unknown>> {
  try {
    const index = parse(bytes.toString(), { logLevel: 'silent' }) as unknown;
    if (isPlain(index) && isPlain(index['entries'])) return index['entries'];
  } catch (error) {
    throw invalid(url, messageOf(error));
  }
  throw invalid(url, 'it is no index of charts');
}

function invalid(what: string, reason: string): Error {
  return bundleUsage('CHART_INVALID', `${what} cannot be used: ${reason}`, 'check spec.bundle.charts');
}
