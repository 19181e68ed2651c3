import { formatReference, parseReference } from '../oci/reference.ts';
import type { ChartSource } from '../spec/bundle-extras.ts';

/** `oci://registry/path` and `1.0.0+a` are `registry/path/NAME:1.0.0_a`: a tag has no plus. Pure. */
export function chartReference({ name, version, repository }: ChartSource): string {
  const path = `${repository.replace(/^oci:\/\//, '')}/${name}:${version.replaceAll('+', '_')}`;
  return formatReference(parseReference(path));
}
