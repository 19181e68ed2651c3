export interface InterfaceAddress {
  readonly interface: string;
  readonly address: string;
  readonly prefixLength: number;
}

export interface Route {
  /** CIDR, a bare address, or `default`. */
  readonly destination: string;
  readonly via: string | undefined;
  readonly interface: string | undefined;
}

export interface Listener {
  readonly protocol: 'tcp' | 'udp';
  readonly address: string;
  readonly port: number;
  readonly process: string | undefined;
}

/** Lines of `ip -o addr show`. */
export function parseAddresses(text: string): InterfaceAddress[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\d+:\s+(\S+)\s+inet6?\s+(\S+?)\/(\d+)/.exec(line);
    if (match === null) return [];
    const [, name = '', address = '', prefix = ''] = match;
    return [{ interface: name.replace(/@.*$/, ''), address, prefixLength: Number(prefix) }];
  });
}

/** Lines of `ip -o route show`. */
export function parseRoutes(text: string): Route[] {
  return text.split('\n').flatMap((line) => {
    const words = line.trim().split(/\s+/);
    const kinds = new Set(['unreachable', 'blackhole', 'prohibit', 'broadcast', 'multicast', 'local']);
    if (words[0] === undefined || words[0] === '' || kinds.has(words[0])) return [];
    const after = (word: string): string | undefined =>
      words.includes(word) ? words[words.indexOf(word) + 1] : undefined;
    return [{ destination: words[0], via: after('via'), interface: after('dev') }];
  });
}

/** Lines of `ss -Hlntup`: netid, state, queues, local address:port, peer, process. */
export function parseListeners(text: string): Listener[] {
  return text.split('\n').flatMap((line) => {
    const words = line.trim().split(/\s+/);
    const [protocol, , , , local] = words;
    if ((protocol !== 'tcp' && protocol !== 'udp') || local === undefined) return [];
    const colon = local.lastIndexOf(':');
    const process = /\(\("([^"]+)"/.exec(line)?.[1];
    return [{ protocol, address: local.slice(0, colon), port: Number(local.slice(colon + 1)), process }];
  });
}

/** True where something listens on the port already, on whatever address. */
export function isTaken(listeners: readonly Listener[] | undefined, protocol: 'tcp' | 'udp', port: number): boolean {
  return listeners?.some((listener) => listener.protocol === protocol && listener.port === port) ?? false;
}
