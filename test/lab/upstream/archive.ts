import { spawn } from 'node:child_process';
import { createHash, type Hash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

/** What is known of a compressed archive once it is written. */
export interface ArchiveDigests {
  /** SHA-256, hex, of the compressed file. */
  readonly sha256: string;
  /** SHA-256, hex, of the tar stream within. */
  readonly uncompressedSha256: string;
  /** Bytes of the compressed file. */
  readonly size: number;
}

/**
 * Packs everything in a directory into a gzipped tar file whose bytes depend on the content alone (no times, owners or
 * order of the disk), and tells its digests without reading it again.
 */
export async function packDirectory(
  directory: string,
  file: string,
  options: { entries?: readonly string[]; level?: number; keepOwners?: boolean; signal?: AbortSignal | undefined } = {},
): Promise<ArchiveDigests> {
  const owners = options.keepOwners ? [] : ['--owner=0', '--group=0'];
  const flags = ['--sort=name', '--mtime=@0', '--numeric-owner', '--format=gnu', ...owners];
  const child = spawn('tar', [...flags, '-C', directory, '-cf', '-', ...(options.entries ?? ['.'])], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(options.signal ? { signal: options.signal } : {}),
  });
  const ended = new Promise<void>((settle, fail) => {
    child.once('error', fail);
    child.once('close', (code) => {
      if (code === 0) settle();
      else fail(new Error(`tar of ${directory} ended with ${code ?? 'a signal'}`));
    });
  });
  const inner = createHash('sha256');
  const outer = createHash('sha256');
  const counter = { bytes: 0 };
  await Promise.all([
    ended,
    pipeline(
      child.stdout,
      hashing(inner),
      createGzip({ level: options.level ?? 6 }),
      hashing(outer, counter),
      createWriteStream(file),
    ),
  ]);
  return { sha256: outer.digest('hex'), uncompressedSha256: inner.digest('hex'), size: counter.bytes };
}

function hashing(hash: Hash, counter?: { bytes: number }): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done): void {
      hash.update(chunk);
      if (counter) counter.bytes += chunk.length;
      done(null, chunk);
    },
  });
}
