/** Watches that something goes on. */
export interface StallWatch {
  /** Something went on. */
  refresh(): void;
  stop(): void;
}

/**
 * Calls `onStall` once when nothing went on for `stallMs` milliseconds. Where `isOurs` then says that the wait is on this side
 * (the consumer is slow, the disk is busy), the watch goes on instead.
 */
export function watchStall(stallMs: number, onStall: () => void, isOurs: () => boolean = () => false): StallWatch {
  const timer = setTimeout(() => {
    if (isOurs()) timer.refresh();
    else onStall();
  }, stallMs);
  return {
    refresh: () => void timer.refresh(),
    stop: () => {
      clearTimeout(timer);
    },
  };
}
