import { Readable } from 'node:stream';
import { InstallerError } from '../errors.ts';
import type { Scopes } from './challenge.ts';
import type { Endpoint } from './endpoint.ts';
import type { EndpointAnswer } from './endpoint-send.ts';
import type { BlobDescriptor } from './manifest.ts';
import { notARegistry } from './http-errors.ts';
import { cutShort, isOtherBytes, OciError } from './oci-errors.ts';
import type { CallOptions, OpenFrom, PutBlobOptions } from './store.ts';
import { checkBlob, type BlobCheck } from './verify.ts';
import type { UploadBody } from './watched-fetch.ts';

/** An upload that was begun: where it goes on, and how much the registry has. */
export interface UploadSession {
  location: string;
  offset: number;
  /** Where the registry wants the next bytes instead; undefined where it said nothing of that. */
  movedTo?: string | undefined;
  /** Smallest request that the registry takes, but for the last one: OCI-Chunk-Min-Length. 0 where it does not say. */
  readonly minChunkBytes: number;
  /** Bytes of the largest request that was sent. */
  triedBytes: number;
}

/** What the requests of one upload have in common. */
export interface UploadContext {
  readonly endpoint: Endpoint;
  readonly scopes: Scopes;
  readonly what: string;
  readonly blob: BlobDescriptor;
  /** Bytes of one request; undefined for all in one. */
  readonly chunkBytes: () => number | undefined;
}

/** The registry wants bytes elsewhere that have streamed already: they have to be sent once more. */
export class UploadMoved extends OciError {
  readonly location: string;

  constructor(what: string, location: string) {
    super({
      code: 'OCI_UNEXPECTED_STATUS',
      message: `${what}: the registry redirects in a circle, last to ${new URL(location).host}`,
      remedy: 'look at the settings of the registry, and of a proxy in front of it',
    });
    this.location = location;
  }
}

/**
 * Asks how much of a broken upload the registry kept, and puts it into the session. False where the upload is gone: some
 * registries (distribution up to 3) drop an upload whose connection broke within a request.
 */
export async function findOffset(
  { endpoint, scopes, what }: UploadContext,
  session: UploadSession,
  { signal }: CallOptions,
): Promise<boolean> {
  const request = { method: 'GET', target: session.location, scopes, what, signal, accept: [200, 204] } as const;
  let answer;
  try {
    answer = await endpoint.request(request);
  } catch (error) {
    // Gone, or of a kind that cannot be asked: a new one is begun. What may pass is for the caller to try again.
    if (error instanceof OciError && error.status !== undefined && error.status < 500 && error.status !== 429)
      return false;
    throw error;
  }
  answer.discard();
  const range = /^(?:bytes=)?0-(\d+)$/.exec(answer.headers.get('range') ?? '');
  if (range === null) return false;
  const last = Number(range[1]);
  // `0-0` stands for nothing: the specification has no way to write an empty range.
  session.offset = last === 0 ? 0 : last + 1;
  moveOn(session, answer);
  return true;
}

/** Sends what is missing of a blob and closes the upload. The blob's digest is checked here as far as its bytes pass, and by the registry. */
export async function sendBlob(
  context: UploadContext,
  session: UploadSession,
  openFrom: OpenFrom,
  { signal, onBytes, onStart, from = 'the source' }: PutBlobOptions,
): Promise<void> {
  const { blob } = context;
  const startByte = session.offset;
  onStart?.(startByte);
  if (startByte < blob.sizeBytes) {
    const source = await openFrom(startByte, { signal });
    try {
      // Of a continued upload the first part is not seen again; the registry compares the digest of the whole.
      const check = startByte === 0 ? checkBlob(blob, from) : checkLength(blob, startByte, from);
      const onChunk = (chunk: Buffer): void => {
        check.take(chunk);
        onBytes?.(chunk.length);
      };
      if (await sendParts(context, session, source, onChunk, signal)) return;
    } finally {
      source.destroy();
    }
  }
  (await put(context, session, undefined, 0, signal)).discard();
}

/** Sends all bytes; true where the last request has closed the upload too. */
async function sendParts(
  context: UploadContext,
  session: UploadSession,
  source: Readable,
  onChunk: (chunk: Buffer) => void,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { blob } = context;
  const parts = createParts(source, onChunk);
  const { minChunkBytes } = session;
  const chunkBytes = Math.min(Math.max(context.chunkBytes() ?? blob.sizeBytes, minChunkBytes), blob.sizeBytes);
  session.triedBytes = chunkBytes;
  if (chunkBytes === blob.sizeBytes && session.offset === 0) {
    (await put(context, session, parts.next(blob.sizeBytes), blob.sizeBytes, signal)).discard();
    return true;
  }
  while (session.offset < blob.sizeBytes) {
    const size = Math.min(chunkBytes, blob.sizeBytes - session.offset);
    const answer = await context.endpoint.request({
      method: 'PATCH',
      target: session.movedTo ?? session.location,
      scopes: context.scopes,
      what: context.what,
      signal,
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': `${size}`,
        'content-range': `${session.offset}-${session.offset + size - 1}`,
      },
      body: parts.next(size),
      accept: [202, 204, ...redirectsWithBody],
    });
    answer.discard();
    checkMoved(context, answer);
    session.movedTo = undefined;
    session.offset += size;
    moveOn(session, answer);
  }
  return false;
}

async function put(
  { endpoint, scopes, what, blob }: UploadContext,
  session: UploadSession,
  body: UploadBody | undefined,
  size: number,
  signal: AbortSignal | undefined,
): Promise<EndpointAnswer> {
  const url = new URL((body === undefined ? undefined : session.movedTo) ?? session.location);
  url.searchParams.set('digest', blob.digest);
  const answer = await endpoint.request({
    method: 'PUT',
    target: url.href,
    scopes,
    what,
    signal,
    headers: { 'content-type': 'application/octet-stream', 'content-length': `${size}` },
    ...(body === undefined ? {} : { body }),
    accept: [201, 204, ...(body === undefined ? [] : redirectsWithBody)],
    // Whether a lost answer had closed the upload is for the next attempt to find out, not for another PUT.
    attempts: 1,
  });
  if (body !== undefined) checkMoved({ endpoint, what }, answer);
  return answer;
}

/** Redirects after which the same bytes go to another address. */
const redirectsWithBody = [301, 302, 307, 308] as const;

function checkMoved({ endpoint, what }: Pick<UploadContext, 'endpoint' | 'what'>, answer: EndpointAnswer): void {
  if (!(redirectsWithBody as readonly number[]).includes(answer.status)) return;
  answer.discard();
  const location = answer.headers.get('location');
  if (location === null) throw notARegistry(endpoint.doing(what), 'a redirect to no address');
  throw new UploadMoved(what, new URL(location, answer.url).href);
}

/** Chunks that are tried where larger ones are refused: the usual limits of proxies, down to a quarter of nginx's. */
const chunkSteps = [64, 16, 4, 1, 0.25].map((mebibytes) => mebibytes * 1024 * 1024);

/** The next smaller chunk after one that was refused; undefined where there is none that the registry takes. Pure. */
export function smallerChunk({
  triedBytes,
  minChunkBytes,
}: Pick<UploadSession, 'triedBytes' | 'minChunkBytes'>): number | undefined {
  return chunkSteps.find((bytes) => bytes < triedBytes && bytes >= minChunkBytes);
}

/** Takes the address of the next request from an answer; without one the old holds. */
function moveOn(session: UploadSession, answer: EndpointAnswer): void {
  const location = answer.headers.get('location');
  if (location !== null) session.location = new URL(location, answer.url).href;
}

/** Cuts one stream into bodies of known sizes, one after the other. */
function createParts(source: Readable, onChunk: (chunk: Buffer) => void): { next: (size: number) => UploadBody } {
  let part: Readable | undefined;
  let left = 0;
  let rest: Buffer | undefined;
  let end: Error | 'ended' | undefined;
  const fail = (error: Error): void => {
    end = error;
    part?.destroy(error);
  };
  /** Gives a piece to the body that is being sent; what is too much for it waits for the next. */
  const give = (chunk: Buffer): void => {
    const own = chunk.length > left ? chunk.subarray(0, left) : chunk;
    rest = own.length < chunk.length ? chunk.subarray(own.length) : undefined;
    try {
      onChunk(own);
    } catch (error) {
      fail(error as Error);
      return;
    }
    left -= own.length;
    const wantsMore = part?.push(own) === true;
    if (left === 0) part?.push(null);
    if (!wantsMore || left === 0) source.pause();
  };
  const closed = (): void => {
    if (left > 0) fail(cutShort('the blob', 'the source', 0, left));
  };
  source.on('data', give);
  source.on('error', fail);
  source.on('close', () => {
    end ??= 'ended';
    closed();
  });
  source.pause();
  const next = (size: number): UploadBody => {
    left = size;
    const stream = new Readable({
      read() {
        if (left === 0) return;
        if (rest !== undefined) give(rest);
        else if (end === undefined) source.resume();
        else if (end === 'ended') closed();
        else this.destroy(end);
      },
    });
    part = stream;
    return { stream, isWaitingForSource: () => left > 0 && !source.isPaused() };
  };
  return { next };
}

function checkLength(blob: BlobDescriptor, startByte: number, where: string): BlobCheck {
  let sizeBytes = startByte;
  return {
    get sizeBytes() {
      return sizeBytes;
    },
    take(chunk) {
      sizeBytes += chunk.length;
    },
    finish() {
      if (sizeBytes < blob.sizeBytes) throw cutShort(blob.digest, where, sizeBytes, blob.sizeBytes);
    },
  };
}

/** Whether a failed upload can be of no use to another attempt. */
export function isHopeless(error: unknown): boolean {
  return isTooLarge(error) || isOtherBytes(error);
}

/** Whether a request was refused for its size. */
export function isTooLarge(error: unknown): boolean {
  return error instanceof InstallerError && error.code === 'OCI_TOO_LARGE';
}
