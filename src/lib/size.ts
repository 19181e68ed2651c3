const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** A number of bytes in the largest binary unit of which it has one; beyond TiB the number grows. */
export function inBinaryUnits(bytes: number): { readonly value: number; readonly unit: string } {
  let value = bytes;
  let index = 0;
  while (value >= 1024 && index < units.length - 1) {
    value /= 1024;
    index += 1;
  }
  return { value, unit: units[index] ?? '' };
}

/** Milliseconds for people: `800 ms`, `1 s`, `2.5 s`. */
export function inSeconds(milliseconds: number): string {
  return milliseconds < 1000 ? `${milliseconds} ms` : `${milliseconds / 1000} s`;
}
