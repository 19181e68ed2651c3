// A module of its own: the command line judges what was found, and reads the format of a bundle only where there is one.
/** How a blob of a bundle was found; `in-base` is one that a delta leaves to its base. */
export type BlobStatus = 'ok' | 'missing' | 'wrong-size' | 'wrong-digest' | 'unreadable' | 'in-base';

/** Whether something must be done about it. */
export function isBad({ status }: { readonly status: BlobStatus }): boolean {
  return status !== 'ok' && status !== 'in-base';
}
