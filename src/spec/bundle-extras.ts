import type { Digest } from '../oci/digest.ts';

/** spec.bundle: what a bundle holds for the site, beside what the cluster itself needs. */
export interface BundleExtras {
  /** References of images. */
  readonly images: readonly string[];
  readonly charts: readonly ChartSource[];
  readonly files: readonly FileSource[];
  /** What images must be that are named by tag, by reference. */
  readonly digests: Readonly<Record<string, Digest>>;
}

/** A Helm chart, and where it comes from. */
export interface ChartSource {
  readonly name: string;
  readonly version: string;
  /** `https://…` of a chart repository, or `oci://…` of the registry path that the chart is below. */
  readonly repository: string;
  /** Absolute path of the values that the site installs it with. */
  readonly values?: string;
  /** Images that nobody finds by reading the chart; where given, what cannot be read is taken for one of them. */
  readonly images: readonly string[];
  /** Of the packed chart, or of its manifest in a registry. */
  readonly digest?: Digest;
}

/** A file, pinned. */
export interface FileSource {
  readonly url: string;
  /** Hex. */
  readonly sha256: string;
}
