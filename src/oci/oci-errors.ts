import { InstallerError, messageOf, type InstallerErrorOptions } from '../errors.ts';
import type { Digest } from './digest.ts';

/** Failures after which the same request, or the rest of it, may well succeed. */
const transientCodes: ReadonlySet<string> = new Set([
  'OCI_CONNECTION_LOST',
  'OCI_STALLED',
  'OCI_UNREACHABLE',
  'OCI_SERVER_ERROR',
  'OCI_TOO_MANY_REQUESTS',
  'OCI_PARTIAL_DAMAGED',
]);

/** Whoever asks for a longer wait gets no other try: a person should decide. */
const longestWaitMs = 5 * 60_000;

/** An error whose remedy may be to wait: how long the other side asked for. */
export class OciError extends InstallerError {
  /** Milliseconds that the registry asked to wait; undefined where it asked for nothing. */
  readonly retryAfterMs: number | undefined;
  /** HTTP status, where one was the reason. */
  readonly status: number | undefined;
  /** Another try goes another way (with a new token), so that it may succeed although this one was refused. */
  readonly mayPass: boolean;

  constructor(
    options: InstallerErrorOptions & {
      retryAfterMs?: number | undefined;
      status?: number | undefined;
      mayPass?: boolean | undefined;
    },
  ) {
    super(options);
    this.name = 'OciError';
    this.retryAfterMs = options.retryAfterMs;
    this.status = options.status;
    this.mayPass = options.mayPass ?? false;
  }
}

/** Whether another try could end differently. */
export function isTransient(error: unknown): boolean {
  if (error instanceof OciError && (error.mayPass || waitOf(error) > longestWaitMs)) return error.mayPass;
  return error instanceof InstallerError && transientCodes.has(error.code);
}

/** Milliseconds that the other side asked to wait before another try; 0 where it asked for nothing. */
export function waitOf(error: unknown): number {
  return error instanceof OciError ? (error.retryAfterMs ?? 0) : 0;
}

/** Whether bytes came that are not what was asked for: from another place they may be right. */
export function isOtherBytes(error: unknown): boolean {
  return error instanceof InstallerError && ['OCI_WRONG_DIGEST', 'OCI_WRONG_SIZE'].includes(error.code);
}

/** Whether the error says that the thing asked for is not there. */
export function isNotFound(error: unknown): boolean {
  return error instanceof InstallerError && error.code === 'OCI_NOT_FOUND';
}

/** What was asked for is not in the store. */
export function notFound(what: string, where: string, remedy?: string): OciError {
  return new OciError({
    code: 'OCI_NOT_FOUND',
    message: `${what} is not in ${where}`,
    remedy: remedy ?? 'check the name and the tag, and that the image was pushed there',
  });
}

/** The bytes that came are not those that the digest stands for. `startByte` tells whether an older part was continued. */
export function wrongDigest(what: string, where: string, actual: Digest, startByte: number): OciError {
  if (startByte > 0) {
    return new OciError({
      code: 'OCI_PARTIAL_DAMAGED',
      message: `${what} from ${where}, continued at byte ${startByte}, has another digest: ${actual}`,
      remedy: 'the part that was there has been dropped; try again',
    });
  }
  return new OciError({
    code: 'OCI_WRONG_DIGEST',
    message: `${where} gave other bytes for ${what}: their digest is ${actual}`,
    remedy: 'look for a proxy that changes contents, or a damaged store, and fetch it from another source',
  });
}

/** More bytes came than the descriptor says. */
export function wrongSize(what: string, where: string, actual: number, expected: number): OciError {
  return new OciError({
    code: 'OCI_WRONG_SIZE',
    message: `${where} gave ${actual} bytes for ${what}, which has ${expected}`,
    remedy: 'look for a proxy that changes contents, or a damaged store, and fetch it from another source',
  });
}

/** What is read into memory is larger than such a thing can be. */
export function tooLarge(what: string, where: string, maxBytes: number): OciError {
  return new OciError({
    code: 'OCI_WRONG_SIZE',
    message: `${what}: ${where} gives more than ${maxBytes} bytes, the most that is taken`,
    remedy: 'look for a proxy that answers in its place, or a damaged store, and fetch it from another source',
  });
}

/** The bytes ended before their time. */
export function cutShort(what: string, where: string, actual: number, expected: number, cause?: unknown): OciError {
  return new OciError({
    code: 'OCI_CONNECTION_LOST',
    message: `${where} ended ${what} after ${actual} of ${expected} bytes${cause === undefined ? '' : `: ${messageOf(cause)}`}`,
    remedy: 'run it again: it goes on where it stopped',
    cause,
  });
}
