// A process of its own: serves downloads from one or more roots until it is told to end.
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join, normalize } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { byteRange } from './byte-range.ts';

const { values } = parseArgs({
  options: {
    address: { type: 'string' },
    port: { type: 'string' },
    log: { type: 'string' },
    root: { type: 'string', multiple: true },
  },
});
const { address, port, log, root: roots = [] } = values;
if (!address || !port || !log)
  throw new Error('usage: downloads-server --address IP --port N --log FILE --root DIR...');
const requests = createWriteStream(log, { flags: 'a' });

async function find(url: string): Promise<{ file: string; size: number; etag: string } | undefined> {
  const path = normalize(decodeURIComponent(new URL(url, 'http://lab').pathname));
  for (const root of roots) {
    const file = join(root, path);
    const info = await stat(file).catch(() => undefined);
    if (info?.isFile())
      return { file, size: info.size, etag: `"${info.size.toString(16)}-${info.mtimeMs.toString(16)}"` };
  }
  return undefined;
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
    return;
  }
  const found = await find(request.url ?? '/');
  if (!found) {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('not found\n');
    return;
  }
  const { file, size, etag } = found;
  const headers = { etag, 'accept-ranges': 'bytes', 'content-type': 'application/octet-stream' };
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, headers).end();
    return;
  }
  const unchanged = request.headers['if-range'] === undefined || request.headers['if-range'] === etag;
  const range = unchanged ? byteRange(request.headers.range, size) : 'whole';
  if (range === 'unsatisfiable') {
    response.writeHead(416, { ...headers, 'content-range': `bytes */${size}` }).end();
    return;
  }
  const { start, end } = range === 'whole' ? { start: 0, end: size - 1 } : range;
  const partial = range === 'whole' ? {} : { 'content-range': `bytes ${start}-${end}/${size}` };
  // Set apart from the others, so that the log can ask for it.
  response.setHeader('content-length', end - start + 1);
  response.writeHead(range === 'whole' ? 200 : 206, { ...headers, ...partial });
  if (request.method === 'HEAD' || size === 0) response.end();
  else await pipeline(createReadStream(file, { start, end }), response);
}

const server = createServer((request, response) => {
  const started = performance.now();
  const { method = '', url = '', socket } = request;
  const from = socket.remoteAddress ?? '-';
  response.once('close', () => {
    const took = Math.round(performance.now() - started);
    const bytes = response.getHeader('content-length') ?? 0;
    const outcome = response.writableFinished ? 'done' : 'cut';
    const line = {
      at: new Date().toISOString(),
      from,
      method,
      url,
      status: response.statusCode,
      bytes,
      outcome,
      ms: took,
    };
    requests.write(`${JSON.stringify(line)}\n`);
  });
  answer(request, response).catch((error: unknown) => {
    // A client that hangs up in the middle is its own affair, and the log says `cut`.
    if (!response.headersSent) response.writeHead(error instanceof URIError ? 400 : 500).end();
    else response.destroy();
  });
});
server.listen(Number(port), address);
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(0));
