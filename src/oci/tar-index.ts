import type { FileHandle } from 'node:fs/promises';
import { layoutInvalid } from './layout-index.ts';

/** Where the content of a file lies inside a tar. */
export interface TarEntry {
  readonly offset: number;
  readonly sizeBytes: number;
}

const blockBytes = 512;

/** One header of a tar. `type` is the character of the format: '0' a file, '5' a directory, 'x' more about the next entry. */
export interface TarHeader {
  readonly name: string;
  readonly sizeBytes: number;
  readonly type: string;
}

/** Reads one header block; undefined where it is a block of zeros (the end), an Error where its checksum is wrong. */
export function parseTarHeader(block: Buffer): TarHeader | undefined | Error {
  if (block.every((byte) => byte === 0)) return undefined;
  let sum = 0;
  for (let index = 0; index < blockBytes; index += 1) sum += index >= 148 && index < 156 ? 32 : (block[index] ?? 0);
  if (sum !== parseNumber(block.subarray(148, 156))) return new Error('a header has a wrong checksum');
  const prefix =
    block.subarray(257, 262).toString() === 'ustar' && block[262] === 0 ? text(block.subarray(345, 500)) : '';
  const name = text(block.subarray(0, 100));
  const type = String.fromCharCode(block[156] ?? 0);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    sizeBytes: parseNumber(block.subarray(124, 136)),
    type: type === '\0' ? '0' : type,
  };
}

/** The records of a pax header: `27 path=…\n`. */
export function parsePax(content: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let start = 0; start < content.length;) {
    const space = content.indexOf(0x20, start);
    const length = Number(content.subarray(start, space).toString());
    if (space < 0 || !(length > 0)) break;
    const record = content.subarray(space + 1, start + length - 1).toString();
    const equals = record.indexOf('=');
    if (equals > 0) records.set(record.slice(0, equals), record.slice(equals + 1));
    start += length;
  }
  return records;
}

/**
 * Finds every file in an uncompressed tar (ustar, GNU, pax) by reading its headers alone. Names lose a leading `./`; of two of
 * one name the later counts. OCI_LAYOUT_INVALID where it is compressed, damaged or cut off.
 */
export async function indexTar(file: FileHandle, where: string): Promise<Map<string, TarEntry>> {
  const entries = new Map<string, TarEntry>();
  const { size } = await file.stat();
  let longName: string | undefined;
  let longSize: number | undefined;
  for (let offset = 0; offset < size;) {
    const header = parseTarHeader(await readBytes(file, offset, blockBytes, where));
    if (header === undefined) return entries;
    if (header instanceof Error)
      throw layoutInvalid(where, offset === 0 ? 'it is not an uncompressed tar' : header.message);
    const contentAt = offset + blockBytes;
    const sizeBytes = longSize ?? header.sizeBytes;
    if (contentAt + sizeBytes > size)
      throw layoutInvalid(where, `it was cut off: '${longName ?? header.name}' is not whole`);
    if (header.type === 'x' || header.type === 'L') {
      const content = await readBytes(file, contentAt, header.sizeBytes, where);
      if (header.type === 'L') longName = text(content);
      else {
        const records = parsePax(content);
        longName = records.get('path') ?? longName;
        const paxSize = records.get('size');
        longSize = paxSize === undefined ? undefined : Number(paxSize);
      }
      offset = contentAt + blocks(header.sizeBytes);
      continue;
    }
    if (header.type === '0' || header.type === '7') {
      entries.set((longName ?? header.name).replace(/^\.\//, ''), { offset: contentAt, sizeBytes });
    }
    longName = undefined;
    longSize = undefined;
    offset = contentAt + blocks(sizeBytes);
  }
  throw layoutInvalid(where, 'it was cut off: the end of the tar is missing');
}

async function readBytes(file: FileHandle, offset: number, length: number, where: string): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  const { bytesRead } = await file.read(buffer, 0, length, offset);
  if (bytesRead < length) throw layoutInvalid(where, 'it was cut off');
  return buffer;
}

/** Bytes that a content takes, up to the next whole block. */
function blocks(sizeBytes: number): number {
  return Math.ceil(sizeBytes / blockBytes) * blockBytes;
}

function text(field: Buffer): string {
  const end = field.indexOf(0);
  return field.subarray(0, end < 0 ? field.length : end).toString();
}

/** A number of a tar header: octal text, or (GNU, for files from 8 GiB) big-endian binary marked by the top bit. */
function parseNumber(field: Buffer): number {
  if (((field[0] ?? 0) & 0x80) === 0) return Number.parseInt(text(field).trim() || '0', 8);
  return field.subarray(1).reduce((value, byte) => value * 256 + byte, 0);
}
