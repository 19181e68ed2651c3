import type { Readable } from 'node:stream';
import { rootCertificates } from 'node:tls';
import fetch, { type Response } from 'node-fetch';
import { abortReason, sleep } from '../lib/deadline.ts';
import { retry } from '../lib/retry.ts';
import { createAgent } from './agent.ts';
import { usualPatience, type Patience } from './endpoint.ts';
import { continued } from './continued.ts';
import { connectionError, parseRetryAfter, stalled, statusError, type Doing } from './http-errors.ts';
import { isTransient, OciError, waitOf } from './oci-errors.ts';
import { receiveBody } from './receive.ts';
import { watchStall } from './stall.ts';
import type { CallOptions } from './store.ts';
import { readAll } from './verify.ts';

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
  readonly proxyEnv?: NodeJS.ProcessEnv | undefined;
  /** Connections to one host at once; 16 where nothing else is said. */
  readonly maxConnections?: number | undefined;
  readonly patience?: Partial<Patience> | undefined;
}

const maxTextBytes = 1024 * 1024;

/** Makes a client for files; nothing is asked before the first call. */
export function createWebFiles(options: WebFilesOptions = {}): WebFiles {
  const patience = { ...usualPatience, ...options.patience };
  const agents = new Map<string, ReturnType<typeof createAgent>>();
  const agentFor = ({ protocol }: URL): ReturnType<typeof createAgent> => {
    const connection = { proxyEnv: options.proxyEnv, maxConnections: options.maxConnections ?? 16 };
    const agent = agents.get(protocol) ?? createAgent(protocol, connection, () => rootCertificates);
    agents.set(protocol, agent);
    return agent;
  };

  const send = async (
    method: 'GET' | 'HEAD',
    url: string,
    headers: Record<string, string>,
    signal: AbortSignal | undefined,
  ): Promise<{ response: Response; doing: Doing; release: () => void }> => {
    const doing = { what: `reading ${url}`, registry: new URL(url).host };
    const controller = new AbortController();
    const onAbort = (): void => {
      controller.abort(abortReason(signal));
    };
    if (signal?.aborted === true) throw abortReason(signal);
    signal?.addEventListener('abort', onAbort, { once: true });
    const release = (): void => {
      signal?.removeEventListener('abort', onAbort);
    };
    const watch = watchStall(patience.stallMs, () => {
      controller.abort(stalled(doing, patience.stallMs));
    });
    try {
      const init = { method, headers: { 'user-agent': 'installer', ...headers }, compress: false };
      const response = await fetch(url, { ...init, agent: agentFor, signal: controller.signal });
      response.body?.on('error', () => undefined);
      return { response, doing, release };
    } catch (error) {
      release();
      if (controller.signal.aborted) throw controller.signal.reason;
      throw connectionError(doing, error);
    } finally {
      watch.stop();
    }
  };

  const receive = (
    { body }: Response,
    { doing, release, signal }: { doing: Doing; release: () => void; signal: AbortSignal | undefined },
    range = { skipBytes: 0, expectedBytes: 0 },
  ): Readable =>
    receiveBody(body as Readable, {
      ...range,
      doing,
      stallMs: patience.stallMs,
      abortReason: () => (signal?.aborted === true ? abortReason(signal) : undefined),
      onClose: release,
    });

  /** By host: too much for one request is too much for all, so everybody waits. */
  const pausedUntil = new Map<string, number>();

  /** An answer of one of the statuses; any other is an error. */
  const ask = async (
    method: 'GET' | 'HEAD',
    url: string,
    accept: readonly number[],
    headers: Record<string, string> = {},
    signal?: AbortSignal,
  ): ReturnType<typeof send> => {
    const { host } = new URL(url);
    const pause = (pausedUntil.get(host) ?? 0) - Date.now();
    if (pause > 0) await sleep(pause, signal);
    const answer = await send(method, url, headers, signal);
    const { response, doing, release } = answer;
    if (accept.includes(response.status)) return answer;
    const body = readAll(receive(response, { doing, release, signal }), maxTextBytes, doing.what, doing.registry);
    const text = (await body.catch(() => '')).toString().slice(0, 1024);
    if (response.status === 404 || response.status === 410) throw absentFile(url);
    const contentType = response.headers.get('content-type') ?? '';
    const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), Date.now());
    const error = statusError(doing, { status: response.status, text, contentType, retryAfterMs, isAnonymous: true });
    if (response.status === 429 && isTransient(error)) {
      pausedUntil.set(host, Math.max(pausedUntil.get(host) ?? 0, Date.now() + waitOf(error)));
    }
    throw error;
  };

  const persist = <T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> => {
    let wanted = 0;
    return retry(work, {
      ...patience,
      signal,
      shouldRetry: isTransient,
      onRetry(error) {
        wanted = waitOf(error);
      },
      sleep: (ms, stop) => sleep(Math.max(ms, wanted), stop),
    });
  };

  const files: WebFiles = {
    size: (url, { signal } = {}) =>
      persist(async () => {
        const { response, release } = await ask('HEAD', url, [200], {}, signal);
        release();
        response.body?.resume();
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
      const headers: Record<string, string> = startByte > 0 ? { range: `bytes=${startByte}-` } : {};
      const { response, doing, release } = await ask('GET', url, [200, 206], headers, signal);
      const skipBytes = startByte > 0 && response.status === 200 ? startByte : 0;
      return receive(response, { doing, release, signal }, { skipBytes, expectedBytes: sizeBytes - startByte });
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
        const { response, doing, release } = await ask('GET', url, [200], {}, signal);
        const body = receive(response, { doing, release, signal });
        return (await readAll(body, maxTextBytes, doing.what, doing.registry)).toString();
      }, signal);
      return unlessAbsent(text);
    },
    close() {
      for (const agent of agents.values()) agent.destroy();
    },
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

function absentFile(url: string): OciError {
  return new OciError({
    code: 'WEB_FILE_NOT_FOUND',
    message: `${url} is not there`,
    remedy: 'check the version, and the mirror of that host in spec.artifacts.mirrors',
    status: 404,
  });
}
