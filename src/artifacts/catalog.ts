export { architectures, catalogSchema } from './catalog-schema.ts';
export type { Architecture, Catalog, ComponentName, KubernetesBinary } from './catalog-schema.ts';
export { mergeCatalogs, parseCatalog } from './catalog-load.ts';
export { resolveVersions } from './catalog-resolve.ts';
export type { Artifact, ResolvedVersions } from './catalog-resolve.ts';
