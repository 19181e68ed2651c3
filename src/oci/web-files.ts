import type { Readable } from 'node:stream';
import { retry } from '../lib/retry.ts';
import { usualPatience, type Patience } from './endpoint.ts';
import { continued } from './continued.ts';
import { isTransient, OciError, waitOf } from './oci-errors.ts';
import type { CallOptions } from './store.ts';
import { readAll } from './verify.ts';
import { dropBody } from './receive.ts';
import { createWebRequests } from './web-requests.ts';
import type { WebServers } from './web-servers.ts';

/** Plain files on web servers: releases and their checksums. */
export interface WebFiles {
  /** The length of a file in bytes. WEB_FILE_NOT_FOUND where it is absent, WEB_FILE_NO_SIZE where the server does not say. */
  size(url: string, options?: CallOptions): Promise<number>;
  /** A file from a byte on, unverified; not tried again, for only its consumer knows how far it came. */
  open(url: string, startByte: number, sizeBytes: number, options?: CallOptions): Promise<Readable>;
  /** A whole file as it comes, unverified; undefined where it is absent. Where a connection breaks it goes on behind the last byte. */
  read(url: string, options?: CallOptions): Promise<AsyncIterable<Uint8Array> | undefined>;
  /** A small text; undefined where it is absent. */
  readText(url: string, options?: CallOptions): Promise<string | undefined>;
  close(): void;
}

export interface WebFilesOptions {
  /** Servers that want to see who we are, or whose certificates nobody else vouches for. */
  readonly servers?: WebServers | undefined;
  readonly proxyEnv?: NodeJS.ProcessEnv | undefined;
  /** Connections to one host at once; 16 where nothing else is said. */
  readonly maxConnections?: number | undefined;
  readonly patience?: Partial<Patience> | undefined;
}

const maxTextBytes = 1024 * 1024;

/** Makes a client for files; nothing is asked before the first call. */
export function createWebFiles(options: WebFilesOptions = {}): WebFiles {
  const patience = { ...usualPatience, ...options.patience };
  const requests = createWebRequests({
    servers: options.servers ?? {},
    proxyEnv: options.proxyEnv,
    maxConnections: options.maxConnections ?? 16,
    stallMs: patience.stallMs,
  });

  const persist = <T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> =>
    retry(work, { ...patience, signal, shouldRetry: isTransient, atLeastMs: waitOf });

  const files: WebFiles = {
    size: (url, { signal } = {}) =>
      persist(async () => {
        const { response, receive } = await requests.ask({ method: 'HEAD', url, accept: [200], signal });
        dropBody(receive());
        const header = response.headers.get('content-length');
        const size = header === null ? Number.NaN : Number(header);
        if (Number.isSafeInteger(size) && size >= 0) return size;
        throw new OciError({
          code: 'WEB_FILE_NO_SIZE',
          message: `${new URL(url).host} does not say how large ${url} is`,
          remedy: 'use a mirror that answers HEAD requests with Content-Length',
        });
      }, signal),
    async open(url, startByte, sizeBytes, { signal } = {}) {
      const headers = startByte > 0 ? { range: `bytes=${startByte}-` } : undefined;
      const answer = await requests.ask({ method: 'GET', url, accept: [200, 206], headers, signal });
      const skipBytes = startByte > 0 && answer.response.status === 200 ? startByte : 0;
      return answer.receive({ skipBytes, expectedBytes: sizeBytes - startByte });
    },
    async read(url, callOptions = {}) {
      const sizeBytes = await unlessAbsent(files.size(url, callOptions));
      if (sizeBytes === undefined) return undefined;
      return continued((startByte) => files.open(url, startByte, sizeBytes, callOptions), sizeBytes, {
        ...patience,
        signal: callOptions.signal,
      });
    },
    async readText(url, { signal } = {}) {
      const text = persist(async () => {
        const { doing, receive } = await requests.ask({ method: 'GET', url, accept: [200], signal });
        return (await readAll(receive(), maxTextBytes, doing.what, doing.registry)).toString();
      }, signal);
      return unlessAbsent(text);
    },
    close: () => requests.close(),
  };
  return files;
}

async function unlessAbsent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof OciError && error.code === 'WEB_FILE_NOT_FOUND') return undefined;
    throw error;
  }
}
