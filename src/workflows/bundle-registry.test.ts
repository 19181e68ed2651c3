import { expect, it } from 'vitest';
import { formatBlobs } from './bundle-registry.ts';

const blob = { written: 0, mounted: 0, present: 0 };

it.each([
  [
    {
      blobs: { written: 3, mounted: 2, present: 1 },
      blobBytes: { written: 2048, mounted: 4096, present: 512 },
      sentBytes: 3072,
    },
    '3 blobs sent (3.0 KiB went over the line), 2 (4.0 KiB) mounted, 1 (512 B) were there',
  ],
  [{ blobs: blob, blobBytes: blob, sentBytes: 0 }, '0 blobs sent (0 B went over the line), 0 mounted, 0 were there'],
])('tells what went over the line and what did not have to: %j', (result, text) => {
  expect(formatBlobs(result)).toBe(text);
});
