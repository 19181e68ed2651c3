import { execa } from 'execa';
import type { Downloads } from './downloads.ts';
import type { ServedImage } from './registry-storage.ts';
import { flannelImages, sharedVersions, upstreamMinors, type UpstreamMinor } from './versions.ts';

/** What one minor consists of, for catalogs and for whoever pulls its images. */
export interface MinorContent {
  readonly minor: UpstreamMinor;
  /** Full version, with `v`. */
  readonly kubernetes: string;
  /** Images kubeadm asks for. */
  readonly images: readonly string[];
  readonly flannelImages: readonly string[];
  /** Image for test pods. */
  readonly agnhost: string;
}

/** What is served, wherever it came from. */
export interface UpstreamParts {
  readonly downloads: Downloads[];
  readonly minors: MinorContent[];
  readonly images: ServedImage[];
}

/** Content of a minor; which images kubeadm asks for is kubeadm's own word. */
export async function minorContent(minor: UpstreamMinor, kubeadm: string): Promise<MinorContent> {
  const { kubernetes, agnhost } = upstreamMinors[minor];
  const { stdout } = await execa(kubeadm, ['config', 'images', 'list', '--kubernetes-version', kubernetes]);
  return {
    minor,
    kubernetes,
    images: stdout.split('\n').filter(Boolean),
    flannelImages: [flannelImages.daemon(sharedVersions.flannel), flannelImages.plugin],
    agnhost: `registry.k8s.io/e2e-test-images/agnhost:${agnhost}`,
  };
}
