import type { ServerResponse } from 'node:http';

/** Fills the memory with bytes from a position on and returns how many came; 0 at the end. */
export type ReadInto = (memory: Buffer, position: number) => Promise<number>;

/** A stream makes new memory for each read; of dozens of them at once the allocator keeps half a hundred megabytes. */
const memoryBytes = 64 * 1024;

/** Sends bytes of a file as the body of an answer, through one piece of memory, and ends it. Rejects where the client goes away. */
export async function sendBytes(
  response: ServerResponse,
  { startByte, endByte }: { readonly startByte: number; readonly endByte: number },
  readInto: ReadInto,
): Promise<void> {
  const memory = Buffer.allocUnsafeSlow(Math.min(memoryBytes, endByte - startByte));
  for (let at = startByte; at < endByte;) {
    const wanted = memory.subarray(0, Math.min(memory.length, endByte - at));
    const size = await readInto(wanted, at);
    if (size === 0) throw new Error(`the file ends ${endByte - at} bytes too early`);
    await write(response, wanted.subarray(0, size));
    at += size;
  }
  response.end();
}

/** Until nobody needs the bytes any more. A connection that is gone need not say so to who writes. */
function write(response: ServerResponse, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const onClose = (): void => {
      reject(new Error('the client went away'));
    };
    if (response.destroyed) {
      onClose();
      return;
    }
    response.once('close', onClose);
    response.write(bytes, (error) => {
      response.off('close', onClose);
      if (error) reject(error);
      else resolve();
    });
  });
}
