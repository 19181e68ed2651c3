/** One word of POSIX sh, whatever it holds. NUL cannot be in an argument and is refused. */
export function quote(word: string): string {
  if (word.includes('\0')) throw new TypeError('a command word cannot hold a NUL byte');
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A whole command line of POSIX sh. */
export function quoteArgv(argv: readonly string[]): string {
  return argv.map(quote).join(' ');
}
