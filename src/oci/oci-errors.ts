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

/** An error whose remedy may be to wait: how long the other side asked for. */
export class OciError extends InstallerError {
  /** Milliseconds that the registry asked to wait; undefined where it asked for nothing. */
  readonly retryAfterMs: number | undefined;
  /** HTTP status, where one was the reason. */
  readonly status: number | undefined;

  constructor(options: InstallerErrorOptions & { retryAfterMs?: number | undefined; status?: number | undefined }) {
    super(options);
    this.name = 'OciError';
    this.retryAfterMs = options.retryAfterMs;
    this.status = options.status;
  }
}

/** Whether another try could end differently. */
export function isTransient(error: unknown): boolean {
  return error instanceof InstallerError && transientCodes.has(error.code);
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
