/** Something that a cluster will ask for, and where that stands written. */
export interface Need {
  readonly kind: 'image' | 'file' | 'package' | 'chart';
  /** An image's whole reference, the publisher's address of a file, a package and its repository, or a chart. */
  readonly name: string;
  /** `any` where it is good for all. */
  readonly platform: string;
  /** `the manifest of flannel`, `kubeadm's list for v1.36.3`. */
  readonly namedBy: string;
}
