import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
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
