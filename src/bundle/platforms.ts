import { architectures, type Architecture } from '../artifacts/catalog.ts';
import { parsePlatform } from '../oci/platform.ts';
import { bundleUsage } from './bundle-errors.ts';

/** The CPU architectures of platforms; BUNDLE_PLATFORM where there is one that no host of a cluster can have. */
export function architecturesOf(platforms: readonly string[]): readonly Architecture[] {
  return platforms.map((text) => {
    const { os, architecture, variant } = parsePlatform(text);
    const known = architectures.find((name) => name === architecture);
    if (os === 'linux' && known !== undefined && variant === undefined) return known;
    throw bundleUsage(
      'PLATFORM',
      `${text} is not a platform that hosts of a cluster have`,
      `give one or more of ${architectures.map((name) => `linux/${name}`).join(', ')}`,
    );
  });
}
