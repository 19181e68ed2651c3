import type { IncomingMessage, ServerResponse } from 'node:http';
import { blobSender } from '../oci/send-blob.ts';
import type { Bundle } from './bundle.ts';
import type { BundleItem } from './manifest.ts';

/** Path under which files are found by host and path of their origin: what spec.artifacts.mirrors leads to. */
export const filesPath = '/files/';

type Content = { readonly item: BundleItem } | { readonly text: string; readonly type: string };

/**
 * Answers for the files of a bundle: `/files/<host>/<path>` as their publisher has them, `/files/<kind>/<name>` for those that have no publisher,
 * their checksums beside them, `/packages/<repository>/…` for repositories of packages, and the table of contents (`/bundle.json`, `/bundle.json.sig`). One range a request; what does not match its digest does not end as a good answer.
 * `provenBytes` is as of `blobSender`.
 */
export function filesHandler(
  bundle: Bundle,
  provenBytes?: number,
): (request: IncomingMessage, response: ServerResponse) => Promise<boolean> {
  const contents = contentsOf(bundle);
  const send = blobSender(bundle.path, provenBytes);
  return async (request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
    const content = contents.get(path);
    if (content === undefined) return false;
    if ('text' in content) {
      const body = Buffer.from(content.text);
      response.writeHead(200, { 'content-type': content.type, 'content-length': body.length });
      response.end(request.method === 'HEAD' ? undefined : body);
      return true;
    }
    const { digest, sizeBytes } = content.item;
    const blob = { digest, sizeBytes };
    const headers = { 'content-type': 'application/octet-stream' };
    const readInto = (memory: Buffer, position: number): Promise<number> =>
      bundle.store.readInto(digest, memory, position);
    await send(request, response, { blob, headers, readInto });
    return true;
  };
}

/** Every path that is answered, and with what. Pure. */
export function contentsOf(bundle: Pick<Bundle, 'manifest' | 'manifestBytes' | 'signature'>): Map<string, Content> {
  const contents = new Map<string, Content>();
  const files = bundle.manifest.items.filter(({ kind }) => kind !== 'image');
  const sums = new Map<string, string[]>();
  for (const item of files) {
    const path = filePathOf(item);
    for (const place of [path, ...(item.paths ?? []).map((more) => `/${more}`)]) contents.set(place, { item });
    const hex = item.digest.slice('sha256:'.length);
    const line = `${hex}  ${path.split('/').at(-1) ?? ''}\n`;
    // Kubernetes publishes the sum alone, others a line; both are read by who reads one of them with a name.
    sums.set(`${path}.sha256`, [line]);
    if (item.checksumUrl === undefined) continue;
    const { host, pathname } = new URL(item.checksumUrl);
    const sumPath = `${filesPath}${host}${pathname}`;
    sums.set(sumPath, [...(sums.get(sumPath) ?? []).filter((known) => known !== line), line]);
  }
  for (const [path, lines] of sums) contents.set(path, { text: lines.join(''), type: 'text/plain' });
  const charts = files.filter(({ kind }) => kind === 'chart');
  for (const item of charts) contents.set(`${chartsPath}${chartFileName(item)}`, { item });
  if (charts.length > 0) contents.set(`${chartsPath}index.yaml`, { text: renderChartIndex(charts), type: 'text/yaml' });
  contents.set('/bundle.json', { text: bundle.manifestBytes.toString(), type: 'application/json' });
  if (bundle.signature !== undefined) {
    contents.set('/bundle.json.sig', { text: bundle.signature, type: 'application/json' });
  }
  return contents;
}

/** Path of the charts as a chart repository: what `helm repo add` is given. */
export const chartsPath = '/charts/';

function chartFileName({ name, version }: BundleItem): string {
  return `${name}-${version ?? ''}.tgz`;
}

/** The index of a chart repository; JSON is YAML. Pure. */
function renderChartIndex(charts: readonly BundleItem[]): string {
  const entries = Map.groupBy(charts, ({ name }) => name);
  const toEntry = (item: BundleItem): object => ({
    apiVersion: 'v2',
    name: item.name,
    version: item.version,
    digest: item.digest.slice('sha256:'.length),
    urls: [chartFileName(item)],
  });
  const listed = Object.fromEntries([...entries].map(([name, items]) => [name, items.map(toEntry)]));
  return `${JSON.stringify({ apiVersion: 'v1', entries: listed })}\n`;
}

/** `/files/dl.k8s.io/v1.36.3/bin/linux/amd64/kubelet`. Pure. */
export function filePathOf(item: BundleItem): string {
  if (/^https?:/.test(item.origin)) {
    const { host, pathname } = new URL(item.origin);
    return `${filesPath}${host}${decodeURIComponent(pathname)}`;
  }
  const platform = item.platforms.map((text) => `${text.replaceAll('/', '-')}/`).join('');
  return `${filesPath}${item.kind}/${platform}${item.name}`;
}

/** What a person should know of a blob that a served bundle could not give. */
export function describeServedDamage(path: string, error: Error): string {
  return `${path} is damaged, and a client did not get what it asked for: ${error.message}. Run installer bundle verify ${path}, which names all that is damaged, and copy the bundle again`;
}
