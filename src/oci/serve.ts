import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { InstallerError, messageOf } from '../errors.ts';
import { isDigest, type Digest } from './digest.ts';
import { mediaTypes } from './media-types.ts';
import { isNotFound, isOtherBytes } from './oci-errors.ts';
import type { Reference, RepositoryName } from './reference.ts';
import { createGate, type Gate, type ServeAccount } from './serve-auth.ts';
import { blobSender, type SendBlob } from './send-blob.ts';
import { nameOfPath, referenceOfPath } from './serve-names.ts';
import type { LocalOciStore, OciStore } from './store.ts';

export interface ServeOptions {
  /** Address to listen on; `127.0.0.1` where nothing else is said. */
  readonly host?: string | undefined;
  /** 0, or nothing, takes a free port. */
  readonly port?: number | undefined;
  /** PEM texts; without them the registry speaks plain HTTP. */
  readonly tls?: { readonly certificate: string; readonly key: string } | undefined;
  /** Without it everybody may read. */
  readonly account?: ServeAccount | undefined;
  /** Called for each answer. */
  readonly onRequest?: ((event: { method: string; path: string; status: number }) => void) | undefined;
  /** For tests: see `blobSender`. */
  readonly provenBytes?: number | undefined;
  /** Called once for each blob that cannot be given because its bytes are others, or missing. */
  readonly onDamaged?: ((error: InstallerError) => void) | undefined;
  /** Answers paths outside of `/v2/` and `/token`; true where it did. What is not answered is a 404. */
  readonly others?: ((request: IncomingMessage, response: ServerResponse) => Promise<boolean>) | undefined;
}

/** A registry that runs. */
export interface ServedRegistry {
  /** `https://127.0.0.1:5000`. */
  readonly url: string;
  readonly port: number;
  /** Takes a connection that came another way than through the port. */
  accept(stream: Duplex): void;
  /** Ends open connections and stops listening. */
  close(): Promise<void>;
}

/**
 * Serves a store as a read-only registry (distribution specification 1.1: pull, tags, referrers), straight from where its blobs lie: containerd,
 * skopeo and crane pull from it. Any number of clients; each costs one open file and a small buffer. Blobs are verified as they go: see `blobSender`.
 * An address that is taken is OCI_SERVE.
 */
export async function serveRegistry(store: LocalOciStore, options: ServeOptions = {}): Promise<ServedRegistry> {
  const gate = options.account === undefined ? undefined : createGate(options.account);
  const send = blobSender(store.description, options.provenBytes);
  const known = (await store.listReferences?.()) ?? [];
  const told = new Set<string>();
  const tell = (error: unknown): void => {
    if (!isOfStore(error) || told.has(error.message)) return;
    told.add(error.message);
    options.onDamaged?.(error);
  };
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const url = urlOf(request);
    const path = url?.pathname ?? request.url ?? '';
    response.on('close', () =>
      options.onRequest?.({ method: request.method ?? '', path, status: response.statusCode }),
    );
    if (url === undefined) {
      sendError(response, 400, 'UNSUPPORTED', 'this is no address of a path');
      return;
    }
    answer({ store, known, gate, send, options }, url, request, response).catch((error: unknown) => {
      tell(error);
      // Half a body cannot be mended: the client sees a connection that breaks, and asks again.
      if (response.headersSent) response.destroy();
      else if (isNotFound(error)) sendError(response, 404, 'NAME_UNKNOWN', messageOf(error));
      else sendError(response, 500, 'UNKNOWN', messageOf(error));
    });
  };
  const { tls, host = '127.0.0.1', port = 0 } = options;
  const server = tls ? createHttpsServer({ cert: tls.certificate, key: tls.key }, handle) : createHttpServer(handle);
  await listen(server, host, port);
  const { port: actual } = server.address() as AddressInfo;
  const shown = host.includes(':') ? `[${host}]` : host;
  return {
    url: `${tls ? 'https' : 'http'}://${shown}:${actual}`,
    port: actual,
    accept: (stream) => {
      server.emit('connection', stream);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

/** Whether the store gave other bytes than a digest stands for, or too few: no client's doing. */
function isOfStore(error: unknown): error is InstallerError {
  return error instanceof InstallerError && (isOtherBytes(error) || error.code === 'OCI_CONNECTION_LOST');
}

interface Serving {
  readonly store: LocalOciStore;
  readonly known: readonly Reference[];
  readonly gate: Gate | undefined;
  readonly send: SendBlob;
  readonly options: ServeOptions;
}

const routes = /^\/v2\/(.+)\/(manifests|blobs|tags|referrers)\/([^/]+)$/;

/** The address of a request, whose path can be decoded; undefined where a client sent something else. */
function urlOf({ url = '/' }: IncomingMessage): URL | undefined {
  try {
    const parsed = new URL(url, 'http://localhost');
    decodeURIComponent(parsed.pathname);
    return parsed;
  } catch {
    return undefined;
  }
}

async function answer(serving: Serving, url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { store, known, gate, options } = serving;
  const path = decodeURIComponent(url.pathname);
  response.setHeader('docker-distribution-api-version', 'registry/2.0');
  const { authorization } = request.headers;
  if (path === '/token' && gate !== undefined) {
    const token = gate.issue(authorization);
    if (token === undefined) refuse(response, 'Basic realm="installer"');
    else sendJson(response, token);
    return;
  }
  const asked = path === '/v2' || path.startsWith('/v2/') ? 'registry' : 'file';
  if (gate?.isOpen(authorization, asked) === false) {
    const origin = `${options.tls ? 'https' : 'http'}://${request.headers.host ?? 'localhost'}`;
    refuse(response, gate.challenge(origin, asked));
    return;
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    sendError(response, 405, 'UNSUPPORTED', 'this registry is read-only');
    return;
  }
  if (path === '/v2/' || path === '/v2') {
    sendJson(response, '{}');
    return;
  }
  const [, repository = '', kind, last = ''] = routes.exec(path) ?? [];
  if (kind === undefined) {
    if ((await options.others?.(request, response)) === true) return;
    sendError(response, 404, 'NAME_UNKNOWN', 'there is nothing of this name');
    return;
  }
  const name = nameOfPath(repository, url.searchParams.get('ns'), known);
  if (name === undefined) {
    sendError(response, 400, 'NAME_INVALID', 'this cannot be the name of a repository');
    return;
  }
  if (kind === 'manifests') await sendManifest(store, name, last, request, response);
  else if (kind === 'tags') await sendTags(store, name, repository, url.searchParams, response);
  else if (!isDigest(last)) sendError(response, 400, 'DIGEST_INVALID', 'this is no digest');
  else if (kind === 'blobs') await sendStored(serving, name, last, request, response);
  else await sendReferrers(store, name, last, url.searchParams.get('artifactType'), response);
}

async function sendManifest(
  store: OciStore,
  name: RepositoryName,
  tagOrDigest: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const reference = referenceOfPath(name, tagOrDigest);
  const descriptor = reference && (await store.resolve(reference));
  if (reference === undefined || descriptor === undefined) {
    sendError(response, 404, 'MANIFEST_UNKNOWN', 'there is no manifest of this name');
    return;
  }
  const headers = {
    'content-type': descriptor.mediaType,
    'content-length': descriptor.sizeBytes,
    'docker-content-digest': descriptor.digest,
    etag: `"${descriptor.digest}"`,
  };
  if (request.method === 'HEAD') {
    response.writeHead(200, headers).end();
    return;
  }
  const { bytes } = await store.readManifest(reference);
  response.writeHead(200, headers).end(bytes);
}

async function sendStored(
  { store, send }: Serving,
  name: RepositoryName,
  digest: Digest,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const sizeBytes = await store.statBlob(name, digest);
  if (sizeBytes === undefined) {
    sendError(response, 404, 'BLOB_UNKNOWN', 'there is no blob of this digest');
    return;
  }
  await send(request, response, {
    blob: { digest, sizeBytes },
    headers: {
      'content-type': mediaTypes.octets,
      'docker-content-digest': digest,
      'cache-control': 'max-age=31536000',
    },
    readInto: (memory, position) => store.readInto(digest, memory, position),
  });
}

async function sendTags(
  store: OciStore,
  name: RepositoryName,
  repository: string,
  query: URLSearchParams,
  response: ServerResponse,
): Promise<void> {
  const all = await store.listTags(name);
  if (all.length === 0) {
    sendError(response, 404, 'NAME_UNKNOWN', 'there is no repository of this name');
    return;
  }
  const last = query.get('last');
  const after = last === null ? all : all.filter((tag) => tag > last);
  const count = Number(query.get('n') ?? Number.NaN);
  const tags = Number.isInteger(count) && count >= 0 ? after.slice(0, count) : after;
  const end = tags.at(-1);
  if (tags.length < after.length && end !== undefined) {
    const next = new URLSearchParams(query);
    next.set('last', end);
    response.setHeader('link', `</v2/${repository}/tags/list?${next.toString()}>; rel="next"`);
  }
  sendJson(response, JSON.stringify({ name: repository, tags }));
}

async function sendReferrers(
  store: OciStore,
  name: RepositoryName,
  subject: Digest,
  artifactType: string | null,
  response: ServerResponse,
): Promise<void> {
  const found = await store.listReferrers(name, subject, artifactType === null ? {} : { artifactType });
  const manifests = found.map(({ sizeBytes, ...item }) => ({ ...item, size: sizeBytes }));
  if (artifactType !== null) response.setHeader('oci-filters-applied', 'artifactType');
  response.setHeader('content-type', mediaTypes.ociIndex);
  sendJson(response, JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }));
}

function refuse(response: ServerResponse, challenge: string): void {
  response.setHeader('www-authenticate', challenge);
  sendError(response, 401, 'UNAUTHORIZED', 'log in to read');
}

function sendJson(response: ServerResponse, text: string): void {
  if (!response.hasHeader('content-type')) response.setHeader('content-type', 'application/json');
  response.setHeader('content-length', Buffer.byteLength(text));
  response.end(text);
}

function sendError(response: ServerResponse, status: number, code: string, message: string): void {
  response.statusCode = status;
  sendJson(response, JSON.stringify({ errors: [{ code, message }] }));
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(
        new InstallerError({
          code: 'OCI_SERVE',
          message: `the registry cannot listen on ${host} port ${port}: ${error.message}`,
          remedy: 'choose another address or port',
          cause: error,
        }),
      );
    });
    server.listen(port, host, () => {
      resolve();
    });
  });
}
