import { isIPv4, isIPv6 } from 'node:net';

export type IpFamily = 4 | 6;

export interface IpAddress {
  readonly family: IpFamily;
  readonly value: bigint;
}

/** A network: `first` is the address with all host bits zero. */
export interface Cidr {
  readonly family: IpFamily;
  readonly first: bigint;
  readonly prefixLength: number;
}

export function addressBits(family: IpFamily): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/** Reads an IPv4 or IPv6 address; undefined for anything else, a zone (`%eth0`) included. */
export function parseIp(text: string): IpAddress | undefined {
  if (isIPv4(text)) return { family: 4, value: joinGroups(text.split('.').map(Number), 8n) };
  if (!isIPv6(text) || text.includes('%')) return undefined;
  return { family: 6, value: joinGroups(ipv6Groups(text), 16n) };
}

/** Of addresses as hosts print them. Debian gives a host's own name to 127.0.1.1. */
export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

function joinGroups(groups: readonly number[], bits: bigint): bigint {
  return groups.reduce((value, group) => (value << bits) | BigInt(group), 0n);
}

function ipv6Groups(text: string): number[] {
  const [head = '', tail] = text.split('::');
  const before = readGroups(head);
  if (tail === undefined) return before;
  const after = readGroups(tail);
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
}

/** The 16-bit groups of one side of `::`; a dotted IPv4 ending counts as two. */
function readGroups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((part) => {
    if (!part.includes('.')) return [Number.parseInt(part, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number);
    return [(a << 8) | b, (c << 8) | d];
  });
}

/** Reads `address/prefix` and clears the host bits; undefined where either part is malformed. */
export function parseCidr(text: string): Cidr | undefined {
  const [address, prefix, ...rest] = text.split('/');
  if (address === undefined || prefix === undefined || rest.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(prefix)) {
    return undefined;
  }
  const ip = parseIp(address);
  const prefixLength = Number(prefix);
  if (ip === undefined || prefixLength > addressBits(ip.family)) return undefined;
  const hostBits = BigInt(addressBits(ip.family) - prefixLength);
  return { family: ip.family, first: (ip.value >> hostBits) << hostBits, prefixLength };
}

export function cidrContains(cidr: Cidr, ip: IpAddress): boolean {
  const hostBits = BigInt(addressBits(cidr.family) - cidr.prefixLength);
  return cidr.family === ip.family && ip.value >> hostBits === cidr.first >> hostBits;
}

/** Two networks overlap exactly where one holds the first address of the other. */
export function cidrsOverlap(a: Cidr, b: Cidr): boolean {
  return cidrContains(a, { family: b.family, value: b.first }) || cidrContains(b, { family: a.family, value: a.first });
}

/** Writes the network in its usual text form; IPv6 is compressed as RFC 5952 says. */
export function formatCidr(cidr: Cidr): string {
  return `${formatIp({ family: cidr.family, value: cidr.first })}/${cidr.prefixLength}`;
}

/** Writes an address in its usual text form; IPv6 is compressed as RFC 5952 says. */
export function formatIp(ip: IpAddress): string {
  if (ip.family === 4) return groupsOf(ip.value, 4, 8n).join('.');
  const full = groupsOf(ip.value, 8, 16n)
    .map((group) => group.toString(16))
    .join(':');
  return new URL(`http://[${full}]/`).hostname.slice(1, -1);
}

function groupsOf(value: bigint, count: number, bits: bigint): number[] {
  const mask = (1n << bits) - 1n;
  return Array.from({ length: count }, (_, index) => Number((value >> (bits * BigInt(count - 1 - index))) & mask));
}
