import { InstallerError, InstallerErrors } from '../errors.ts';

/** The values of work that went well throughout; else every expected failure together, or the first defect. */
export function valuesOf<T>(results: readonly PromiseSettledResult<T>[]): readonly T[] {
  const expected: InstallerError[] = [];
  for (const result of results) {
    if (result.status === 'fulfilled') continue;
    if (!(result.reason instanceof InstallerError)) throw result.reason;
    expected.push(result.reason);
  }
  if (expected.length > 0) throw new InstallerErrors(expected);
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}
