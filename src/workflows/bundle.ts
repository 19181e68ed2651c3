export { runBundleCreate } from './bundle-create.ts';
export { describeSignature, diff, inspect, verify, writeKeyPair } from './bundle-look.ts';
