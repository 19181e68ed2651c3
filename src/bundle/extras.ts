import { formatReference, parseReference } from '../oci/reference.ts';
import type { ClusterConfig } from '../spec/schema.ts';
import { chartReference } from './chart-reference.ts';
import type { Need } from './need.ts';
import { fileNameOf } from './resolve-files.ts';
import type { Wanted, WantedImage } from './wanted.ts';

/** The images and files of spec.bundle, and what its charts bring, beside what the versions need; each image once. Pure. */
export function withExtras(wanted: Wanted, { spec }: ClusterConfig, fromCharts: readonly WantedImage[]): Wanted {
  const images = new Map<string, Set<string>>();
  const digests = new Map(fromCharts.flatMap(({ name, digest }) => (digest === undefined ? [] : [[name, digest]])));
  const listed = spec.bundle.images.map((image) => ({ name: whole(image), why: ['listed in spec.bundle.images'] }));
  for (const { name, why } of [...wanted.images, ...listed, ...fromCharts]) {
    images.set(name, new Set([...(images.get(name) ?? []), ...why]));
  }
  const files = spec.bundle.files.map(({ url, sha256 }) => ({
    ...({ kind: 'file', name: fileNameOf(url), url, sha256, pinnedBy: 'reference' } as const),
    why: ['listed in spec.bundle.files'],
  }));
  return {
    images: [...images].map(([name, why]) => ({ name, digest: digests.get(name), why: [...why] })),
    files: [...wanted.files, ...files],
  };
}

/** What of spec.bundle has to be in a bundle, as far as the cluster file says it. Pure. */
export function extraNeeds({ spec }: ClusterConfig, platforms: readonly string[]): Need[] {
  const { images, charts, files } = spec.bundle;
  const ofCharts = charts.flatMap((chart) =>
    chart.images.map((image) => ({ image, namedBy: `chart ${chart.name} of spec.bundle.charts` })),
  );
  return [
    ...imageNeeds([...images.map((image) => ({ image, namedBy: 'spec.bundle.images' })), ...ofCharts], platforms),
    ...charts.map((chart): Need => {
      const name = chart.repository.startsWith('oci://') ? chartReference(chart) : `${chart.name} ${chart.version}`;
      return { kind: 'chart', name, platform: 'any', namedBy: 'spec.bundle.charts' };
    }),
    ...files.map(({ url }): Need => ({ kind: 'file', name: url, platform: 'any', namedBy: 'spec.bundle.files' })),
  ];
}

/** Images that every platform needs. Pure. */
export function imageNeeds(
  images: readonly { readonly image: string; readonly namedBy: string }[],
  platforms: readonly string[],
): Need[] {
  return images.flatMap(({ image, namedBy }) =>
    platforms.map((platform): Need => ({ kind: 'image', name: whole(image), platform, namedBy })),
  );
}

function whole(image: string): string {
  return formatReference(parseReference(image));
}
