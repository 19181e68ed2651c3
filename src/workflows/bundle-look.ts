import { openBundle, type Bundle } from '../bundle/bundle.ts';
import type { BundleManifest } from '../bundle/manifest.ts';
import { checkSignature, readPublicKey, type SignaturePolicy, type SignatureStatus } from '../bundle/signature.ts';
import { verifyBundle, type VerifyResult } from '../bundle/verify.ts';
import { diffManifests, digestLines, listRows, renderTree } from '../bundle/views.ts';
import type { Digest } from '../oci/digest.ts';

export { writeKeyPair } from '../bundle/signature.ts';

export interface SignatureInput {
  readonly keyFile?: string | undefined;
  readonly policy?: SignaturePolicy | undefined;
}

/** What a bundle is, without its blobs having been read. */
export interface BundleSummary {
  readonly path: string;
  readonly manifestDigest: Digest;
  readonly sizeBytes: number;
  readonly signature: SignatureStatus;
  /** As it stands in the file. */
  readonly manifest: unknown;
}

/** Opens a bundle, judges its signature, and closes it when the work is over. */
export async function withBundle<T>(
  path: string,
  input: SignatureInput,
  work: (bundle: Bundle, signature: SignatureStatus) => Promise<T>,
  options: { readonly mayBeCut?: boolean } = {},
): Promise<T> {
  const judge = await readJudge(input);
  const bundle = await openBundle(path, options);
  try {
    return await work(bundle, judge(bundle));
  } finally {
    await bundle.close();
  }
}

/** Reads the key once; judges the signatures of as many bundles as are given. */
export async function readJudge({ keyFile, policy }: SignatureInput): Promise<(bundle: Bundle) => SignatureStatus> {
  const key = keyFile === undefined ? undefined : await readPublicKey(keyFile);
  return ({ path, manifestBytes, signature }) => checkSignature(path, manifestBytes, signature, key, policy);
}

/** Reads every byte. */
export async function verify(
  path: string,
  input: SignatureInput & { readonly jobs?: number | undefined; readonly signal?: AbortSignal | undefined },
): Promise<VerifyResult & { readonly signature: SignatureStatus; readonly manifest: BundleManifest }> {
  return withBundle(
    path,
    input,
    async (bundle, signature) => ({ ...(await verifyBundle(bundle, input)), signature, manifest: bundle.manifest }),
    { mayBeCut: true },
  );
}

export async function inspect(
  path: string,
  input: SignatureInput,
): Promise<{
  readonly summary: BundleSummary;
  readonly tree: string;
  readonly rows: readonly (readonly string[])[];
  readonly digests: readonly string[];
}> {
  return withBundle(path, input, (bundle, signature) => {
    const { manifest, manifestBytes, manifestDigest, plan } = bundle;
    return Promise.resolve({
      summary: {
        path,
        manifestDigest,
        sizeBytes: plan.totalBytes,
        signature,
        manifest: JSON.parse(manifestBytes.toString()) as unknown,
      },
      tree: renderTree(manifest, plan.totalBytes, describeSignature(signature)),
      rows: listRows(manifest),
      digests: digestLines(manifest),
    });
  });
}

export async function diff(
  before: string,
  after: string,
  input: SignatureInput,
): Promise<ReturnType<typeof diffManifests>> {
  return withBundle(before, input, (a) =>
    withBundle(after, input, (b) => Promise.resolve(diffManifests(a.manifest, b.manifest))),
  );
}

/** `signed by 0123456789abcdef`. */
export function describeSignature(signature: SignatureStatus): string {
  if (signature.status === 'none') return 'not signed';
  const by = `signed by ${signature.keyId.slice(0, 16)}`;
  return signature.status === 'valid' ? `${by}, verified` : `${by}, not verified`;
}
