/** IPv4 addresses `first` to `last`, as numbers. */
export interface AddressRange {
  readonly first: number;
  readonly last: number;
}

/** Range of `a.b.c.d/n`, or of one address. */
export function parseRange(text: string): AddressRange {
  const [address = '', bits = '32'] = text.split('/');
  const size = 2 ** (32 - Number(bits));
  const number = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  if (!Number.isInteger(number) || !Number.isInteger(size)) throw new Error(`"${text}" is no IPv4 range`);
  const first = Math.floor(number / size) * size;
  return { first, last: first + size - 1 };
}

/** Whether the inner range lies wholly in the outer one. */
export function isInside(inner: AddressRange, outer: AddressRange): boolean {
  return inner.first >= outer.first && inner.last <= outer.last;
}
