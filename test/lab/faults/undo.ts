/** Ends a fault. Calling it again, or for a host that lost the fault with its power, is no error. */
export type Undo = () => Promise<void>;

/** An undo that acts at most once. */
export function once(act: () => Promise<void>): Undo {
  let done: Promise<void> | undefined;
  return () => (done ??= act());
}
