import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const everyBytes = 8 * 1024 * 1024;
let bytesSince = 0;
let collect: (() => void) | undefined;

/**
 * Says that so many bytes in buffers have come and will soon be garbage. Every few megabytes the young objects are collected, which takes a
 * millisecond. V8 by itself sees few objects, waits, and then marks the whole heap because of the memory behind them: a third of
 * the time of a copy, and more memory.
 */
export function noteYoungGarbage(bytes: number): void {
  bytesSince += bytes;
  if (bytesSince < everyBytes) return;
  bytesSince = 0;
  collect ??= youngCollector();
  collect();
}

function youngCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as (options: { type: 'minor' }) => void;
  return () => {
    gc({ type: 'minor' });
  };
}
