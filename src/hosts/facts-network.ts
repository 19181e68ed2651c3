import { addressBits, parseCidr, parseIp, type Cidr, type IpFamily } from '../spec/cidr.ts';

export interface InterfaceAddress {
  readonly interface: string;
  readonly address: string;
  readonly prefixLength: number;
}

export interface Route {
  /** CIDR, a bare address, or `default` of IPv4; the default route of IPv6 is `::/0`. */
  readonly destination: string;
  /** Where packets end instead of going anywhere. */
  readonly refusal?: (typeof refusals)[number];
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

/** Kinds of routes (ip-route(8)) that lead nowhere; `throw` in the main table is one that is not reached either. */
const refusals = ['unreachable', 'blackhole', 'prohibit', 'throw'] as const;
const otherKinds = new Set(['broadcast', 'multicast', 'local', 'anycast', 'nat']);

/** Lines of `ip -o route show`, or of `ip -6 -o route show` where the family is 6. */
export function parseRoutes(text: string, family: IpFamily = 4): Route[] {
  return text.split('\n').flatMap((line): Route[] => {
    const all = line.trim().split(/\s+/);
    const refusal = refusals.find((kind) => kind === all[0]);
    const words = refusal !== undefined || all[0] === 'unicast' ? all.slice(1) : all;
    const [destination] = words;
    if (destination === undefined || destination === '' || otherKinds.has(destination)) return [];
    const after = (word: string): string | undefined =>
      words.includes(word) ? words[words.indexOf(word) + 1] : undefined;
    return [
      {
        destination: destination === 'default' && family === 6 ? '::/0' : destination,
        ...(refusal === undefined ? {} : { refusal }),
        via: after('via'),
        interface: after('dev'),
      },
    ];
  });
}

/** The network that a route is for; a bare address is a route to one host. */
export function networkOf({ destination }: Route): Cidr | undefined {
  if (destination === 'default') return parseCidr('0.0.0.0/0');
  const ip = parseIp(destination);
  return parseCidr(ip === undefined ? destination : `${destination}/${addressBits(ip.family)}`);
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
