/** Media types of the OCI image specification 1.1 and of Docker's schema 2, which registries mix freely. */
export const mediaTypes = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  ociLayerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  ociLayerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  ociEmpty: 'application/vnd.oci.empty.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  helmConfig: 'application/vnd.cncf.helm.config.v1+json',
  helmChart: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip',
  octets: 'application/octet-stream',
} as const;

const imageManifests: readonly string[] = [mediaTypes.ociManifest, mediaTypes.dockerManifest];
const indexes: readonly string[] = [mediaTypes.ociIndex, mediaTypes.dockerIndex];

/** What is asked for when a manifest of any kind will do. */
export const manifestAccept = [...imageManifests, ...indexes].join(', ');

/** A manifest of one image or artifact: configuration and layers. */
export function isImageManifest(mediaType: string): boolean {
  return imageManifests.includes(mediaType);
}

/** An index (or Docker's manifest list): manifests for several platforms. */
export function isIndex(mediaType: string): boolean {
  return indexes.includes(mediaType);
}

/** Something that registries keep as a manifest and not as a blob. */
export function isManifest(mediaType: string): boolean {
  return isImageManifest(mediaType) || isIndex(mediaType);
}

/** A layer that its publisher does not let others serve (base layers of Windows); registries need not hold it. */
export function isForeignLayer(mediaType: string): boolean {
  return mediaType.includes('.nondistributable.') || mediaType.includes('.foreign.');
}

/** `application/json; charset=utf-8` → `application/json`, in lower case. */
export function bareMediaType(contentType: string): string {
  return (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();
}
