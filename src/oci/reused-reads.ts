import type { OnReadOpts, Socket } from 'node:net';

/** Memory that a connection reads into: larger reads, fewer events. */
const bufferBytes = 256 * 1024;
/** Reads up to this size are handed over as copies: whoever reads a proxy's first answer keeps its pieces. */
const copiedBytes = 16 * 1024;

/**
 * Lets a connection read into the same memory again and again. Node's parser of HTTP copies what it takes out of a read (a test holds
 * it to that), so nobody has the read when the next one comes; with memory of its own for each read, every byte was garbage twice.
 */
export function reusedReads(): OnReadOpts {
  let memory = Buffer.allocUnsafeSlow(bufferBytes);
  return {
    buffer: () => memory,
    callback(this: Socket, size: number) {
      const bytes = memory.subarray(0, size);
      const wantsMore = this.push(size <= copiedBytes ? Buffer.from(bytes) : bytes);
      // Nobody listens just now: the connection keeps it, and nothing may be read over it.
      if (this.readableLength > 0) memory = Buffer.allocUnsafeSlow(bufferBytes);
      return wantsMore;
    },
  };
}
