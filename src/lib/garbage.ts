import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const everyBytes = 16 * 1024 * 1024;
/** Every so many times everything is collected: some buffers have grown old by then. */
const majorEvery = 8;
let bytesSince = 0;
let times = 0;
let collect: ((options: { readonly type: 'minor' | 'major' }) => void) | undefined;

/**
 * Says that so many bytes in buffers have come and will soon be garbage. Every few megabytes the young objects are collected, which takes a
 * millisecond. V8 by itself sees few objects, waits, and then marks the whole heap because of the memory behind them: a third of
 * the time of a copy, and more memory.
 */
export function noteYoungGarbage(bytes: number): void {
  bytesSince += bytes;
  if (bytesSince < everyBytes) return;
  bytesSince = 0;
  times += 1;
  if (times === 1) waitLonger();
  collectNow(times % majorEvery === 0 ? 'major' : 'minor');
}

/**
 * V8 begins to mark a small heap as soon as less is left below its limit than the young objects might take, which with buffers is always:
 * twenty times a gigabyte, for a fifth of the processor time of a copy. What is collected here keeps the heap far below the limit.
 */
function waitLonger(): void {
  // Percent of the way from what the last collection left to the limit: when marking begins in the background, and at the latest.
  setFlagsFromString('--incremental-marking-soft-trigger=90');
  setFlagsFromString('--incremental-marking-hard-trigger=95');
}

/** From so many on, garbage is worth the twentieth of a second that collecting it takes. */
const manyHosts = 20;

/**
 * Collects all garbage of a run on so many hosts, now; with a hundred that takes some 20 ms, with few of them it does nothing. For
 * moments after which much of what was made is needed no more: V8 by itself lets tens of megabytes lie before it marks a heap for
 * the first time.
 */
export function collectGarbageOf(hosts: number): void {
  if (hosts >= manyHosts) collectNow('major');
}

function collectNow(type: 'minor' | 'major'): void {
  collect ??= exposeCollector();
  collect({ type });
}

function exposeCollector(): NonNullable<typeof collect> {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as NonNullable<typeof collect>;
}
