export { labCacheDir } from './cache.ts';
export { catalogOverlay, writeCatalogOverlays } from './catalog.ts';
export type { MinorContent } from './content.ts';
export { checkUpstream, type UpstreamCheck } from './check.ts';
export { ensureUpstream, type EnsureOptions, type Upstream } from './ensure.ts';
export type { RpmAccess } from './rpm-repository.ts';
export {
  startUpstream,
  stopUpstream,
  upstreamStatus,
  type AptAccess,
  type RunningUpstream,
  type StartOptions,
} from './run.ts';
export { sharedVersions, upstreamMinors, type UpstreamMinor } from './versions.ts';
