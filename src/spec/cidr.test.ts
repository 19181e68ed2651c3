import { describe, expect, it } from 'vitest';
import { type Cidr, cidrContains, cidrsOverlap, formatCidr, formatIp, parseCidr, parseIp } from './cidr.ts';

function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (parsed === undefined) throw new Error(`not a CIDR: ${text}`);
  return parsed;
}

describe('parseIp', () => {
  it.each([
    ['10.0.0.1', 4, 0x0a000001n],
    ['255.255.255.255', 4, 0xffffffffn],
    ['::', 6, 0n],
    ['::1', 6, 1n],
    ['fd00::1', 6, 0xfd000000000000000000000000000001n],
    ['2001:db8:1:2:3:4:5:6', 6, 0x20010db8000100020003000400050006n],
    ['2001:db8::', 6, 0x20010db8000000000000000000000000n],
    ['::ffff:10.0.0.1', 6, 0xffff0a000001n],
  ])('reads %s', (text, family, value) => {
    expect(parseIp(text)).toEqual({ family, value });
  });

  it.each(['', '10.0.0', '10.0.0.256', '010.0.0.1', 'fe80::1%eth0', '[::1]', '10.0.0.1/24', 'host'])(
    'refuses %j',
    (text) => {
      expect(parseIp(text)).toBeUndefined();
    },
  );
});

describe('parseCidr', () => {
  it.each([
    ['10.244.0.0/16', '10.244.0.0/16'],
    ['10.244.1.7/16', '10.244.0.0/16'],
    ['10.0.0.1/32', '10.0.0.1/32'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['fd00:10:244:1::/48', 'fd00:10:244::/48'],
    ['::/0', '::/0'],
  ])('reads %s as the network %s', (text, network) => {
    expect(formatCidr(cidr(text))).toBe(network);
  });

  it.each(['10.0.0.0', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/08', '10.0.0.0/8/8', 'fd00::/129', '/8', 'x/8'])(
    'refuses %j',
    (text) => {
      expect(parseCidr(text)).toBeUndefined();
    },
  );
});

describe('formatIp', () => {
  it.each(['10.0.0.1', 'fd00::1', '2001:db8:0:1::', '::'])('writes %s as it was read', (text) => {
    const ip = parseIp(text);
    expect(ip && formatIp(ip)).toBe(text);
  });
});

describe('cidrsOverlap', () => {
  it.each([
    ['10.0.0.0/8', '10.244.0.0/16', true],
    ['10.244.0.0/16', '10.244.0.0/16', true],
    ['10.96.0.0/12', '10.112.0.0/12', false],
    ['10.0.0.0/9', '10.128.0.0/9', false],
    ['0.0.0.0/0', '192.168.0.0/24', true],
    ['0.0.0.0/0', '::/0', false],
    ['fd00::/48', 'fd00:0:0:1::/64', true],
  ])('of %s and %s is %s', (a, b, overlap) => {
    expect(cidrsOverlap(cidr(a), cidr(b))).toBe(overlap);
    expect(cidrsOverlap(cidr(b), cidr(a))).toBe(overlap);
  });
});

describe('cidrContains', () => {
  it.each([
    ['10.244.0.0/16', '10.244.255.255', true],
    ['10.244.0.0/16', '10.245.0.0', false],
    ['::/0', '10.0.0.1', false],
  ])('of %s and %s is %s', (network, address, contained) => {
    const ip = parseIp(address);
    expect(ip && cidrContains(cidr(network), ip)).toBe(contained);
  });
});
