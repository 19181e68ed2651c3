import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InstallerError } from '../../src/errors.ts';
import { createWebFiles, type WebFiles } from '../../src/oci/web-files.ts';
import { FileServer } from '../support/bundle/site.ts';
import { randomBlob } from '../support/oci/images.ts';

const stallMs = 300;
const { bytes: content } = randomBlob(500_000);
const path = '/dl.example.com/v1/tool';
const sumPath = `${path}.sha256`;
let server: FileServer;
let web: WebFiles;

beforeEach(async () => {
  server = await new FileServer().start();
  server.contents.set(path, content);
  server.contents.set(sumPath, Buffer.from('0123456789'));
  web = createWebFiles({ patience: { baseDelayMs: 1, maxDelayMs: 5, attempts: 3, stallMs } });
});

afterEach(async () => {
  web.close();
  await server.close();
});

const url = (name = path): string => `http://127.0.0.1:${server.port}${name}`;

async function readWhole(): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of (await web.read(url())) ?? []) hash.update(chunk);
  return hash.digest('hex');
}

describe('a file server that asks to wait', () => {
  it('is given the time that it asks for', async () => {
    let left = 2;
    server.fault = (_path, response, request) => {
      if (request.method !== 'GET' || (left -= 1) < 0) return false;
      response.writeHead(429, { 'retry-after': '1' }).end();
      return true;
    };
    web.close();
    web = createWebFiles({ patience: { baseDelayMs: 1, maxDelayMs: 5, attempts: 5, stallMs } });
    const started = performance.now();

    expect(await readWhole()).toBe(createHash('sha256').update(content).digest('hex'));
    expect(performance.now() - started).toBeGreaterThan(1900);
  });
});

describe('a file server that fails', () => {
  const page = { 'content-type': 'text/html; charset=utf-8' };
  const login = '<!doctype html><html><body>Please log in</body></html>';
  type Fault = NonNullable<FileServer['fault']>;
  const answer =
    (status: number, headers: Record<string, string> = {}, body = ''): Fault =>
    (_path, response) => {
      response.writeHead(status, headers).end(body);
      return true;
    };
  const onGet =
    (fault: Fault): Fault =>
    (name, response, request) =>
      request.method === 'GET' && fault(name, response, request);
  const stall: Fault = (_path, response) => {
    response.writeHead(200, { 'content-length': content.length }).write('half');
    return true;
  };
  const rows: readonly { name: string; fault: Fault; code: string; says: string; textCode?: string }[] = [
    { name: '401', fault: answer(401), code: 'WEB_FILE_UNAUTHORIZED', says: 'spec.artifacts.servers' },
    { name: '403', fault: answer(403), code: 'WEB_FILE_FORBIDDEN', says: 'spec.artifacts.servers' },
    { name: '403 with a page', fault: answer(403, page, login), code: 'WEB_FILE_FORBIDDEN', says: 'web page' },
    { name: '404', fault: answer(404), code: 'WEB_FILE_NOT_FOUND', says: 'is not there', textCode: '' },
    { name: '400', fault: answer(400), code: 'WEB_FILE_STATUS', says: 'answered 400' },
    { name: '429', fault: answer(429), code: 'OCI_TOO_MANY_REQUESTS', says: 'number of jobs' },
    {
      name: '429 for an hour',
      fault: answer(429, { 'retry-after': '3600' }),
      code: 'OCI_TOO_MANY_REQUESTS',
      says: '3600 s',
    },
    { name: '500', fault: answer(500), code: 'OCI_SERVER_ERROR', says: 'answered 500' },
    { name: 'a login page', fault: answer(200, page, login), code: 'WEB_FILE_IS_PAGE', says: 'login page' },
    {
      name: 'a login page for the bytes',
      fault: onGet(answer(200, page, login)),
      code: 'WEB_FILE_IS_PAGE',
      says: 'login page',
    },
    { name: 'bytes that stall', fault: onGet(stall), code: 'OCI_STALLED', says: 'nothing came' },
    { name: 'no answer', fault: () => true, code: 'OCI_STALLED', says: 'nothing came' },
    {
      name: 'connections that break',
      fault: (_path, response) => Boolean(response.socket?.resetAndDestroy()),
      code: 'OCI_CONNECTION_LOST',
      says: 'check that',
    },
  ];

  /** What a person reads of the error of some work. */
  const failed = async (work: Promise<unknown>): Promise<{ code?: string; text: string }> => {
    const error = await work.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (!(error instanceof InstallerError)) return { text: String(error) };
    return { code: error.code, text: `${error.message}\n${error.remedy ?? ''}` };
  };

  it.each(rows)('$name', async ({ name, fault, code, says, textCode = code }) => {
    server.fault = fault;

    const [bytes, text] = [
      await failed(web.open(url(), 0, content.length).then(all)),
      await failed(web.readText(url(sumPath))),
    ];

    for (const one of [bytes, text]) {
      if (one === text && textCode === '') continue;
      expect(one.code).toBe(code);
      expect(one.text).toContain(says);
      expect(one.text).toContain(`127.0.0.1:${server.port}`);
      expect(one.text).not.toMatch(/registry|project|repository/);
    }
    if (!/bytes/.test(name)) expect((await failed(web.size(url()))).code).toBe(code);
    server.fault = undefined;
    expect(await readWhole()).toBe(createHash('sha256').update(content).digest('hex'));
  });
});

async function all(stream: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const chunk of stream) count += (chunk as Buffer).length;
  return count;
}
