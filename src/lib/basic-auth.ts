/** User and password as HTTP's basic authentication encodes them (RFC 7617), without the scheme's name. */
export function basicCredentials({ username, password }: { username: string; password: string }): string {
  return Buffer.from(`${username}:${password}`).toString('base64');
}

/** The header of basic authentication. */
export function basicHeader(account: { username: string; password: string }): string {
  return `Basic ${basicCredentials(account)}`;
}

/** Whether a header of Authorization holds a password, and no token. */
export function isBasic(header: string): boolean {
  return header.startsWith('Basic ');
}
