import { InstallerError } from '../errors.ts';
import { createLimiter } from '../lib/concurrency.ts';
import { sleep } from '../lib/deadline.ts';
import { backoffMs, retry } from '../lib/retry.ts';
import { usualPatience } from './endpoint.ts';
import { connectionError } from './http-errors.ts';
import type { CopyOptions } from './copy-types.ts';
import type { BlobDescriptor } from './manifest.ts';
import { isOtherBytes, isTransient, waitOf } from './oci-errors.ts';
import { formatRepositoryName, type RepositoryName } from './reference.ts';
import type { OciStore, OpenFrom, WritableOciStore } from './store.ts';

/** Copies single blobs, each once for the whole copy. */
export interface BlobCopier {
  /** Brings a blob into a repository of the target. */
  copy(from: RepositoryName, to: RepositoryName, blob: BlobDescriptor): Promise<void>;
  readonly counts: { written: number; mounted: number; present: number; sentBytes: number; retries: number };
  readonly doneBytes: number;
  readonly totalBytes: number;
}

const defaultJobs = 4;
/** Blobs that are looked for, mounted or begun besides those whose bytes are on their way. */
const waitingUploads = 12;

/**
 * Of a blob that several repositories of one registry need, one gets it sent and the others mount it from there. Where
 * source and target are the same registry the first one mounts it too.
 */
export function createBlobCopier(
  source: Pick<OciStore, 'description' | 'isLocal' | 'openBlob' | 'distrust'>,
  target: Pick<WritableOciStore, 'isLocal' | 'putBlob'>,
  {
    jobs = defaultJobs,
    attempts = usualPatience.attempts,
    baseDelayMs = usualPatience.baseDelayMs,
    signal,
  }: CopyOptions,
  onProgress: () => void,
): BlobCopier {
  const transfers = createLimiter(jobs);
  const requests = createLimiter(jobs + waitingUploads);
  const counts = { written: 0, mounted: 0, present: 0, sentBytes: 0, retries: 0 };
  let doneBytes = 0;
  let totalBytes = 0;
  /** By registry and digest: the first repository that gets the blob, once it has it. */
  const first = new Map<string, { readonly at: RepositoryName; readonly done: Promise<void> }>();
  /** By repository and digest. */
  const all = new Map<string, Promise<void>>();

  const put = async (
    from: RepositoryName,
    to: RepositoryName,
    blob: BlobDescriptor,
    mountFrom?: RepositoryName,
  ): Promise<void> => {
    let started = 0;
    let came = 0;
    let fruitless = 0;
    let before = 0;
    let wantedMs = 0;
    const one = async (): Promise<void> => {
      // A place is taken when bytes are wanted: looking for a blob, or mounting it, holds no transfer back.
      const { promise: isOver, resolve: release } = Promise.withResolvers<undefined>();
      let place: Promise<void> | undefined;
      const open: OpenFrom = async (startByte, options) => {
        // One place, also where the target has to open the source twice.
        place ??= new Promise<void>((resolve, reject) => {
          transfers
            .run(() => {
              resolve();
              return isOver;
            }, signal)
            .catch(reject);
        });
        await place;
        return source.openBlob(from, blob, { ...options, startByte });
      };
      const result = await target
        .putBlob(to, blob, open, {
          signal,
          mountFrom,
          from: source.isLocal ? `${formatRepositoryName(from)} in ${source.description}` : formatRepositoryName(from),
          onStart(startByte) {
            // What was counted of an attempt before and is not there gets taken back.
            doneBytes += startByte - (started + came);
            started = startByte;
            came = 0;
          },
          onBytes(bytes) {
            came += bytes;
            counts.sentBytes += bytes;
            doneBytes += bytes;
            onProgress();
          },
        })
        .finally(() => {
          release(undefined);
        });
      counts[result] += 1;
      doneBytes += blob.sizeBytes - (started + came);
      onProgress();
    };
    await retry(() => one().catch((error: unknown) => Promise.reject(toInstallerError(error, from, signal))), {
      attempts: Number.POSITIVE_INFINITY,
      baseDelayMs,
      maxDelayMs: usualPatience.maxDelayMs,
      signal,
      shouldRetry(error) {
        if (isOtherBytes(error)) return source.distrust?.(from, blob.digest) === true;
        const reached = started + came;
        fruitless = reached > before ? 0 : fruitless + 1;
        before = Math.max(before, reached);
        return isTransient(error) && fruitless < attempts;
      },
      onRetry: (error) => {
        counts.retries += 1;
        wantedMs = waitOf(error);
      },
      sleep: (_ms, stop) => {
        const options = { baseDelayMs, maxDelayMs: usualPatience.maxDelayMs };
        return sleep(Math.max(wantedMs, backoffMs(fruitless + 1, options, Math.random)), stop);
      },
    });
  };

  const copyOnce = async (from: RepositoryName, to: RepositoryName, blob: BlobDescriptor): Promise<void> => {
    const key = target.isLocal ? blob.digest : `${to.registry}@${blob.digest}`;
    const earlier = first.get(key);
    if (earlier === undefined) {
      totalBytes += blob.sizeBytes;
      const mountFrom = !source.isLocal && !target.isLocal && from.registry === to.registry ? from : undefined;
      const done = requests.run(() => put(from, to, blob, mountFrom), signal);
      first.set(key, { at: to, done });
      await done;
      return;
    }
    // Where the first one fails the others try for themselves, for it may be that repository alone.
    const mountFrom = await earlier.done.then(
      () => earlier.at,
      () => undefined,
    );
    if (target.isLocal && mountFrom !== undefined) return;
    totalBytes += blob.sizeBytes;
    await requests.run(() => put(from, to, blob, mountFrom), signal);
  };

  return {
    counts,
    get doneBytes() {
      return doneBytes;
    },
    get totalBytes() {
      return totalBytes;
    },
    copy(from, to, blob) {
      const key = target.isLocal ? blob.digest : `${to.registry}/${to.repository}@${blob.digest}`;
      let known = all.get(key);
      if (known === undefined) {
        known = copyOnce(from, to, blob);
        all.set(key, known);
      }
      return known;
    },
  };
}

/** Errors of streams and files as ours, so that they can be told apart; those of an abort stay what they are. */
export function toInstallerError(error: unknown, from: RepositoryName, signal?: AbortSignal): Error {
  if (error instanceof InstallerError) return error;
  if (signal?.aborted === true) return signal.reason as Error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new InstallerError({
      code: 'OCI_DISK_FULL',
      message: 'the disk of the target is full',
      remedy: 'make room and run it again: it goes on where it stopped',
      cause: error,
    });
  }
  if (code !== undefined && /^(?:ECONN|EPIPE|ETIMEDOUT|ERR_STREAM|ABORT_ERR)/.test(code)) {
    return connectionError(
      { what: `copying from ${from.registry}/${from.repository}`, registry: from.registry },
      error,
    );
  }
  return error instanceof Error ? error : new Error(String(error));
}
