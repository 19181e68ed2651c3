export { runBundleCreate } from './bundle-create.ts';
export { describeSignature, diff, inspect, verify, writeKeyPair } from './bundle-look.ts';
export { checkBundle, planPush, runBundlePush, serveBundle } from './bundle-registry.ts';
export { extract, runBundleJoin, runBundleMerge } from './bundle-rewrite.ts';
export { writeRepositoryKeyPair } from './bundle-repository-key.ts';
