import { gunzipSync } from 'node:zlib';
import { messageOf } from '../errors.ts';
import { parsePax, parseTarHeader } from '../oci/tar-index.ts';
import { bundleUsage } from './bundle-errors.ts';

/** Files of a chart by path below its folder: `Chart.yaml`, `templates/deployment.yaml`. */
export type ChartFiles = ReadonlyMap<string, Buffer>;

/** A chart that unpacks to more is no chart. */
const maxUnpackedBytes = 256 * 1024 * 1024;

/** Reads a packed chart. BUNDLE_CHART_INVALID where it is none. Pure. */
export function readChart(archive: Uint8Array, what: string): ChartFiles {
  let tar: Buffer;
  try {
    tar = gunzipSync(archive, { maxOutputLength: maxUnpackedBytes });
  } catch (error) {
    throw invalid(what, messageOf(error));
  }
  const files = new Map<string, Buffer>();
  let longName: string | undefined;
  for (let offset = 0; offset + 512 <= tar.length;) {
    const header = parseTarHeader(tar.subarray(offset, offset + 512));
    if (header === undefined) break;
    if (header instanceof Error) throw invalid(what, header.message);
    const content = tar.subarray(offset + 512, offset + 512 + header.sizeBytes);
    if (content.length < header.sizeBytes) throw invalid(what, 'it was cut off');
    offset += 512 + Math.ceil(header.sizeBytes / 512) * 512;
    if (header.type === 'L') longName = content.toString().replace(/\0.*$/s, '');
    else if (header.type === 'x') longName = parsePax(content).get('path') ?? longName;
    else {
      // The first part is the folder of the chart.
      const [, ...path] = (longName ?? header.name).replace(/^\.\//, '').split('/');
      if (header.type === '0' && path.length > 0) files.set(path.join('/'), content);
      longName = undefined;
    }
  }
  if (!files.has('Chart.yaml')) throw invalid(what, 'it has no Chart.yaml');
  return files;
}

function invalid(what: string, reason: string): Error {
  return bundleUsage('CHART_INVALID', `${what} is not a packed chart: ${reason}`, 'see what its repository gives');
}
