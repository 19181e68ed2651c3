import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { digestOf } from '../../../src/oci/digest.ts';
import { parseRange } from '../../../src/oci/serve-names.ts';

/** A request that the registry was asked, before it answers. */
export interface Asked {
  readonly method: string;
  /** Path with its query. */
  readonly path: string;
  readonly authorization: string | undefined;
}

/** Answers in the registry's place; true where it did. */
export type Fault = (asked: Asked, response: ServerResponse, request: IncomingMessage) => boolean;

export interface TestRegistryOptions {
  /** Whether it lists referrers itself. */
  readonly referrers?: boolean;
  /** Whether it takes an index whose manifests are missing. */
  readonly takesSparse?: boolean;
  /** Tags on one page. */
  readonly pageSize?: number;
  /** Drops an upload whose connection broke, as distribution does. */
  readonly forgetsUploads?: boolean;
}

/**
 * A registry in memory, after the distribution specification 1.1, that counts what it is asked and can be made to fail. It is
 * written for the tests alone: short, and strict about what the specification asks of clients.
 */
export class TestRegistry {
  readonly blobs = new Map<string, Buffer>();
  readonly links = new Set<string>();
  readonly manifests = new Map<string, { bytes: Buffer; mediaType: string }>();
  readonly asked: Asked[] = [];
  fault: Fault | undefined;
  /** Bytes of blobs handed to the network, and taken from it. */
  sentBytes = 0;
  takenBytes = 0;
  private readonly uploads = new Map<string, Buffer[]>();
  private readonly options: TestRegistryOptions;
  private readonly server = createServer((request, response) => {
    this.handle(request, response).catch(() => response.destroy());
  });

  constructor(options: TestRegistryOptions = {}) {
    this.options = options;
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => {
        resolve();
      });
      this.server.closeAllConnections();
    });
  }

  /** Requests of a method whose path contains a text. */
  count(method: string, part = ''): number {
    return this.asked.filter((item) => item.method === method && item.path.includes(part)).length;
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url: path = '/' } = request;
    const asked = { method, path, authorization: request.headers.authorization };
    this.asked.push(asked);
    if (this.fault?.(asked, response, request) === true) return;
    const url = new URL(path, 'http://localhost');
    if (url.pathname === '/v2/') {
      send(response, 200, '{}');
      return;
    }
    const match = /^\/v2\/(.+)\/(manifests|blobs|tags|referrers|blobs\/uploads)\/([^/]*)$/.exec(url.pathname);
    const [, name = '', kind, last = ''] = match ?? [];
    if (kind === 'manifests') await this.manifest(method, name, last, request, response);
    else if (kind === 'blobs') this.blob(method, name, last, request, response);
    else if (kind === 'blobs/uploads') await this.upload(method, name, last, url.searchParams, request, response);
    else if (kind === 'tags') this.tags(name, url.searchParams, response);
    else if (kind === 'referrers') this.referrers(name, last, response);
    else fail(response, 404, 'NAME_UNKNOWN');
  }

  private async manifest(
    method: string,
    name: string,
    reference: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    if (method === 'PUT') {
      const bytes = await collect(request);
      const digest = digestOf(bytes);
      if (reference.includes(':') && reference !== digest) {
        fail(response, 400, 'DIGEST_INVALID');
        return;
      }
      const json = JSON.parse(bytes.toString()) as ManifestJson;
      const needed = [...(json.config ? [json.config] : []), ...(json.layers ?? [])];
      const lacks =
        needed.some((item) => !this.links.has(`${name}@${item.digest}`)) ||
        (this.options.takesSparse !== true &&
          (json.manifests ?? []).some((item) => !this.manifests.has(`${name}@${item.digest}`)));
      if (lacks) {
        fail(response, 400, 'MANIFEST_BLOB_UNKNOWN');
        return;
      }
      const entry = { bytes, mediaType: request.headers['content-type'] ?? '' };
      this.manifests.set(`${name}@${digest}`, entry);
      if (!reference.includes(':')) this.manifests.set(`${name}:${reference}`, entry);
      const subject = this.options.referrers !== false && json.subject ? { 'oci-subject': json.subject.digest } : {};
      response
        .writeHead(201, { location: `/v2/${name}/manifests/${digest}`, 'docker-content-digest': digest, ...subject })
        .end();
      return;
    }
    const found = this.manifests.get(`${name}${reference.includes(':') ? '@' : ':'}${reference}`);
    if (found === undefined) {
      fail(response, 404, 'MANIFEST_UNKNOWN');
      return;
    }
    const { bytes, mediaType } = found;
    response.writeHead(200, {
      'content-type': mediaType,
      'content-length': bytes.length,
      'docker-content-digest': digestOf(bytes),
    });
    response.end(method === 'HEAD' ? undefined : bytes);
  }

  private blob(method: string, name: string, digest: string, request: IncomingMessage, response: ServerResponse): void {
    const bytes = this.links.has(`${name}@${digest}`) ? this.blobs.get(digest) : undefined;
    if (bytes === undefined) {
      fail(response, 404, 'BLOB_UNKNOWN');
      return;
    }
    const range = parseRange(request.headers.range, bytes.length);
    if (range === 'invalid') {
      response.writeHead(416).end();
      return;
    }
    const { startByte, endByte } = range === 'whole' ? { startByte: 0, endByte: bytes.length } : range;
    response.writeHead(range === 'whole' ? 200 : 206, {
      'content-length': endByte - startByte,
      'docker-content-digest': digest,
      ...(range === 'whole' ? {} : { 'content-range': `bytes ${startByte}-${endByte - 1}/${bytes.length}` }),
    });
    if (method === 'HEAD') {
      response.end();
      return;
    }
    // In pieces, and no faster than the client takes them, so that a cut finds the body under way.
    const chunk = 64 * 1024;
    const write = (at: number): void => {
      if (at >= endByte) {
        response.end();
        return;
      }
      const piece = bytes.subarray(at, Math.min(at + chunk, endByte));
      response.write(piece, () => {
        this.sentBytes += piece.length;
        write(at + piece.length);
      });
    };
    write(startByte);
  }

  private async upload(
    method: string,
    name: string,
    id: string,
    query: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const location = (upload: string): string => `/v2/${name}/blobs/uploads/${upload}?state=kept`;
    if (method === 'POST') {
      const [mount, from] = [query.get('mount'), query.get('from')];
      if (mount !== null && from !== null && this.links.has(`${from}@${mount}`)) {
        this.links.add(`${name}@${mount}`);
        response.writeHead(201, { location: `/v2/${name}/blobs/${mount}` }).end();
        return;
      }
      const upload = `u${this.asked.length}`;
      this.uploads.set(upload, []);
      response.writeHead(202, { location: location(upload), range: '0-0' }).end();
      return;
    }
    const parts = this.uploads.get(id);
    if (parts === undefined || query.get('state') !== 'kept') {
      fail(response, 404, 'BLOB_UPLOAD_UNKNOWN');
      return;
    }
    const size = (): number => parts.reduce((sum, part) => sum + part.length, 0);
    const rangeHeader = (): string => `0-${Math.max(0, size() - 1)}`;
    if (method === 'GET') {
      response.writeHead(204, { location: location(id), range: rangeHeader() }).end();
      return;
    }
    if (method === 'DELETE') {
      this.uploads.delete(id);
      response.writeHead(204).end();
      return;
    }
    const range = /^(\d+)-(\d+)$/.exec(request.headers['content-range'] ?? '');
    if (range !== null && Number(range[1]) !== size()) {
      response.writeHead(416, { location: location(id), range: rangeHeader() }).end();
      return;
    }
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        parts.push(chunk);
        this.takenBytes += chunk.length;
      }
    } catch (error) {
      if (this.options.forgetsUploads === true) this.uploads.delete(id);
      throw error;
    }
    if (method === 'PATCH') {
      response.writeHead(202, { location: location(id), range: rangeHeader() }).end();
      return;
    }
    const digest = query.get('digest') ?? '';
    const bytes = Buffer.concat(parts);
    this.uploads.delete(id);
    if (digestOf(bytes) !== digest) {
      fail(response, 400, 'DIGEST_INVALID');
      return;
    }
    this.blobs.set(digest, bytes);
    this.links.add(`${name}@${digest}`);
    response.writeHead(201, { location: `/v2/${name}/blobs/${digest}`, 'docker-content-digest': digest }).end();
  }

  private tags(name: string, query: URLSearchParams, response: ServerResponse): void {
    const prefix = `${name}:`;
    const all = [...this.manifests.keys()]
      .filter((key) => key.startsWith(prefix))
      .map((key) => key.slice(prefix.length));
    const after = all.sort().filter((tag) => tag > (query.get('last') ?? ''));
    const page = after.slice(0, this.options.pageSize ?? after.length);
    if (page.length < after.length)
      response.setHeader('link', `</v2/${name}/tags/list?last=${page.at(-1) ?? ''}>; rel="next"`);
    send(response, 200, JSON.stringify({ name, tags: page }));
  }

  private referrers(name: string, subject: string, response: ServerResponse): void {
    if (this.options.referrers === false) {
      fail(response, 404, 'NOT_FOUND');
      return;
    }
    const manifests = [...this.manifests.entries()]
      .filter(([key]) => key.startsWith(`${name}@`))
      .map(([, entry]) => ({ ...entry, json: JSON.parse(entry.bytes.toString()) as ManifestJson }))
      .filter(({ json }) => json.subject?.digest === subject)
      .map(({ bytes, mediaType, json }) => ({
        mediaType,
        digest: digestOf(bytes),
        size: bytes.length,
        artifactType: json.artifactType,
      }));
    response.setHeader('content-type', 'application/vnd.oci.image.index.v1+json');
    send(response, 200, JSON.stringify({ schemaVersion: 2, manifests }));
  }
}

interface ManifestJson {
  readonly config?: { readonly digest: string };
  readonly layers?: readonly { readonly digest: string }[];
  readonly manifests?: readonly { readonly digest: string }[];
  readonly subject?: { readonly digest: string };
  readonly artifactType?: string;
}

/** A fault that answers requests of a method and part of a path with a status, so many times. */
export function answerWith(
  status: number,
  { method, part = '', times = Number.POSITIVE_INFINITY, headers = {}, body = '' }: FaultPlan = {},
): Fault {
  let left = times;
  return (asked, response, request) => {
    if (left <= 0 || (method !== undefined && asked.method !== method) || !asked.path.includes(part)) return false;
    left -= 1;
    request.resume();
    response.writeHead(status, headers).end(body);
    return true;
  };
}

export interface FaultPlan {
  readonly method?: string;
  readonly part?: string;
  readonly times?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

async function collect(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function send(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-length': Buffer.byteLength(text) }).end(text);
}

function fail(response: ServerResponse, status: number, code: string): void {
  send(response, status, JSON.stringify({ errors: [{ code, message: `said by the test registry` }] }));
}
