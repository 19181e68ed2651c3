import { InstallerError, exitCodes } from '../errors.ts';
import type { Descriptor, Platform } from './manifest.ts';

/** Reads `linux/amd64` or `linux/arm/v7`; anything else is an InstallerError OCI_PLATFORM_INVALID. */
export function parsePlatform(text: string): Platform {
  const [os = '', architecture = '', variant, ...rest] = text.split('/');
  if (!/^[a-z0-9]+$/.test(os) || !/^[a-z0-9_]+$/.test(architecture) || variant === '' || rest.length > 0) {
    throw new InstallerError({
      code: 'OCI_PLATFORM_INVALID',
      message: `'${text}' is not a platform`,
      remedy: 'write it as OS/ARCHITECTURE[/VARIANT], for example linux/amd64',
      exitCode: exitCodes.usage,
    });
  }
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

/** `linux/arm/v7`. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter(Boolean).join('/');
}

/**
 * Whether something made for `have` is what a machine of `want` asks for. A variant counts only where both name one:
 * `linux/arm64` and `linux/arm64/v8` are the same machine.
 */
export function matchesPlatform(have: Platform, want: Platform): boolean {
  if (have.os !== want.os || have.architecture !== want.architecture) return false;
  return have.variant === undefined || want.variant === undefined || have.variant === want.variant;
}

/**
 * The entries of an index that belong to these platforms. Entries without a platform, or of `unknown/unknown` (attestations
 * that build tools add), belong to none. Without platforms: all entries.
 */
export function selectPlatforms(
  manifests: readonly Descriptor[],
  platforms: readonly Platform[] | undefined,
): readonly Descriptor[] {
  if (platforms === undefined) return manifests;
  return manifests.filter(
    ({ platform }) => platform !== undefined && platforms.some((want) => matchesPlatform(platform, want)),
  );
}
