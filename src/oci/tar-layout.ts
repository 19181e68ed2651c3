import { open } from 'node:fs/promises';
import { fileStream, readFully, type LayoutFiles } from './layout-files.ts';
import { createLayoutReader, readLayoutIndex } from './layout-reader.ts';
import type { LocalOciStore } from './store.ts';
import { indexTar } from './tar-index.ts';

/**
 * Opens an uncompressed tar of an OCI image layout (skopeo's oci-archive) for reading. Nothing is unpacked: headers are read
 * once, and blobs from where they lie. OCI_LAYOUT_INVALID where it is no such thing.
 */
export async function openTarLayout(path: string): Promise<LocalOciStore> {
  const file = await open(path, 'r');
  try {
    const entries = await indexTar(file, path);
    const files: LayoutFiles = {
      description: path,
      size: (name) => Promise.resolve(entries.get(name)?.sizeBytes),
      async read(name) {
        const entry = entries.get(name);
        if (entry === undefined) return undefined;
        const buffer = Buffer.allocUnsafe(entry.sizeBytes);
        await file.read(buffer, 0, entry.sizeBytes, entry.offset);
        return buffer;
      },
      readInto(name, memory, position) {
        const { offset, sizeBytes } = entries.get(name) ?? { offset: 0, sizeBytes: 0 };
        const room = Math.max(0, Math.min(memory.length, sizeBytes - position));
        return readFully(file, memory.subarray(0, room), offset + position);
      },
      open(name, options) {
        const { offset, sizeBytes } = entries.get(name) ?? { offset: 0, sizeBytes: 0 };
        return fileStream(path, offset, { ...options, endByte: Math.min(options.endByte ?? sizeBytes, sizeBytes) });
      },
      close: () => file.close(),
    };
    const index = await readLayoutIndex(files);
    return createLayoutReader({ files, entries: () => index });
  } catch (error) {
    await file.close();
    throw error;
  }
}
