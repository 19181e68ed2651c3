import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { get as httpsGet } from 'node:https';
import { pipeline } from 'node:stream/promises';
import type { Upstream } from './ensure.ts';
import type { ImageManifest } from './oci.ts';
import { repositoryAndTag } from './registry-storage.ts';
import type { RunningUpstream } from './run.ts';

/** What a check of a running upstream looked at. */
export interface UpstreamCheck {
  readonly files: number;
  readonly images: number;
  readonly bytes: number;
}

const manifestTypes = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/** Fetches every download and every blob of every image from a running upstream, as a client that trusts its CA; throws at the first wrong digest. */
export async function checkUpstream(
  upstream: Pick<Upstream, 'checksums' | 'minors'>,
  running: RunningUpstream,
): Promise<UpstreamCheck> {
  const ca = await readFile(running.registryCaFile);
  let bytes = 0;
  for (const [path, sha256] of Object.entries(upstream.checksums)) {
    bytes += await fetchChecked(`${running.downloadsUrl}/${path}`, sha256);
  }
  const images = upstream.minors.flatMap((minor) => [...minor.images, ...minor.flannelImages, minor.agnhost]);
  const checked = new Set<string>();
  for (const image of new Set(images)) {
    const { repository, tag } = repositoryAndTag(image);
    const base = `https://${running.registry}/v2/${repository}`;
    const manifest = JSON.parse((await fetchText(`${base}/manifests/${tag}`, ca)).toString()) as ImageManifest;
    for (const { digest } of [manifest.config, ...manifest.layers]) {
      if (checked.has(digest)) continue;
      bytes += await fetchChecked(`${base}/blobs/${digest}`, digest.replace('sha256:', ''), ca);
      checked.add(digest);
    }
  }
  return { files: Object.keys(upstream.checksums).length, images: new Set(images).size, bytes };
}

/** Bytes of the body, whose SHA-256 (hex) has to be the given one. */
async function fetchChecked(url: string, sha256: string, ca?: Buffer): Promise<number> {
  const response = await open(url, ca);
  const hash = createHash('sha256');
  let bytes = 0;
  await pipeline(response, async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) {
      hash.update(chunk);
      bytes += chunk.length;
    }
  });
  const actual = hash.digest('hex');
  if (actual !== sha256) throw new Error(`${url} has SHA-256 ${actual}, not ${sha256}`);
  return bytes;
}

async function fetchText(url: string, ca?: Buffer): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of await open(url, ca)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function open(url: string, ca?: Buffer): Promise<IncomingMessage> {
  const options = { headers: { accept: manifestTypes }, timeout: 10_000 };
  const response = await new Promise<IncomingMessage>((settle, fail) => {
    const request = ca ? httpsGet(url, { ...options, ca }, settle) : httpGet(url, options, settle);
    request.once('error', fail);
    request.once('timeout', () => request.destroy(new Error(`${url} gave no answer within 10 s`)));
  });
  if (response.statusCode === 200) return response;
  response.destroy();
  throw new Error(`${url} answered ${response.statusCode ?? 'nothing'}`);
}
