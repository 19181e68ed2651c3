import type { Bundle } from '../bundle/bundle.ts';
import { extractBundle } from '../bundle/extract.ts';
import { mergeBundles, recutBundle } from '../bundle/rewrite.ts';
import { readPrivateKey } from '../bundle/signature.ts';
import { formatWritten, type WriteResult } from '../bundle/write-bundle.ts';
import type { ExitCode } from '../errors.ts';
import { readJudge, withBundle, type SignatureInput } from './bundle-look.ts';
import { runBundleTask, type BundleRun } from './bundle-run.ts';

export interface RewriteInput extends SignatureInput {
  readonly path: string;
  readonly partBytes?: number | undefined;
}

/** One file out of parts, or parts out of one file. */
export function runBundleJoin(from: string, input: RewriteInput, run: BundleRun): Promise<{ exitCode: ExitCode }> {
  return rewrite('bundle join', from, input, run, (options) => recutBundle(from, options));
}

export async function runBundleMerge(
  paths: readonly [string, string],
  input: RewriteInput & { readonly signKeyFile?: string | undefined },
  run: BundleRun,
): Promise<{ exitCode: ExitCode }> {
  const signKey = input.signKeyFile === undefined ? undefined : await readPrivateKey(input.signKeyFile);
  return rewrite('bundle merge', paths.join(' and '), input, run, (options) =>
    mergeBundles(paths, { ...options, signKey }),
  );
}

/** Lays the contents out in a folder; returns where. */
export async function extract(
  path: string,
  dir: string,
  input: SignatureInput & { readonly names: readonly string[]; readonly signal: AbortSignal },
): Promise<readonly string[]> {
  return withBundle(path, input, async (bundle) => {
    const laid = await extractBundle(bundle, dir, input);
    return [...new Set(laid.map((one) => one.path))];
  });
}

type Rewrite = (options: {
  readonly path: string;
  readonly judge: (bundle: Bundle) => void;
  readonly partBytes?: number | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: { readonly doneBytes: number; readonly totalBytes: number }) => void;
}) => Promise<WriteResult>;

function rewrite(
  workflow: string,
  subject: string,
  { path, partBytes, ...signature }: RewriteInput,
  run: BundleRun,
  work: Rewrite,
): Promise<{ exitCode: ExitCode }> {
  return runBundleTask(run, workflow, subject, [{ id: 'write', title: 'Write the bundle' }], async (progress) => {
    progress.enter('write');
    const judge = await readJudge(signature);
    const result = await work({
      path,
      partBytes,
      judge,
      signal: run.signal,
      onProgress: ({ doneBytes, totalBytes }) => progress.transfer('bundle', doneBytes, totalBytes),
    });
    const what = result.wasThere ? ' (was there already; its blobs were not read)' : '';
    progress.note(`${result.paths.join(', ')}${what}: ${formatWritten(result)}, manifest ${result.manifestDigest}`);
    return { changes: result.wasThere ? 0 : 1, next: [`installer bundle verify ${path}`] };
  });
}
