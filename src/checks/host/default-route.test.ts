import { expect, it } from 'vitest';
import { findingsOf } from '../../../test/support/findings.ts';
import { parseRoutes } from '../../hosts/facts-network.ts';
import { defaultRoute } from './default-route.ts';

const dualStack = `  network:
    podSubnets: [10.244.0.0/16, fd00:10:244::/56]
    serviceSubnets: [10.96.0.0/12, fd00:10:96::/112]
`;

function found(routes: string, routes6: string, spec = ''): string[] {
  const facts = { w1: { routes: [...parseRoutes(routes), ...parseRoutes(routes6, 6)] } };
  return findingsOf(defaultRoute, { facts, spec }).filter((line) => line.startsWith('w1'));
}

const link = '10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.21\n';
const usual = `default via 10.0.0.1 dev eth0\n${link}`;
const usual6 = 'fe80::/64 dev eth0 proto kernel metric 256\ndefault via fe80::1 dev eth0 metric 1024\n';

it.each<[string, string, string, string[]]>([
  ['a default route', usual, '', []],
  ['one through two gateways', 'default proto static \\\tnexthop via 10.0.0.1 dev eth0 weight 1', '', []],
  ['one of IPv6 alone', link, usual6, ['w1 error: none of IPv4 covers 10.96.0.0/12: 10.0.0.0/24']],
  ['a route for the service subnet', `${link}10.96.0.0/12 dev eth0\n`, '', []],
  ['a route for more than the service subnet', `${link}10.0.0.0/8 via 10.0.0.1 dev eth0\n`, '', []],
  ['a default route in two halves', '0.0.0.0/1 dev tun0\n128.0.0.0/1 dev tun0\n', '', []],
  [
    'a route for a part of the service subnet',
    `${link}10.96.0.0/16 dev eth0\n`,
    '',
    ['w1 error: none of IPv4 covers 10.96.0.0/12: 10.0.0.0/24, 10.96.0.0/16'],
  ],
  [
    'a default route, and one that refuses in front of it',
    `${usual}blackhole 10.0.0.0/8\n`,
    '',
    ['w1 error: 10.96.0.0/12 ends in the route blackhole 10.0.0.0/8'],
  ],
  [
    'one that refuses everything',
    `${link}unreachable default metric 4278198272\n`,
    '',
    ['w1 error: 10.96.0.0/12 ends in the route unreachable default'],
  ],
  ['one that refuses the very subnet, told elsewhere', `${usual}prohibit 10.96.0.0/12\n`, '', []],
  ['nothing', '', '', ['w1 error: none of IPv4 covers 10.96.0.0/12: no routes']],
])('looks for a way to services: %s', (_name, routes, routes6, expected) => {
  expect(found(routes, routes6)).toEqual(expected);
});

it.each<[string, string, string, string[]]>([
  ['one of each family', usual, usual6, []],
  [
    'one of IPv4 alone',
    usual,
    'fe80::/64 dev eth0 metric 256\n',
    ['w1 error: none of IPv6 covers fd00:10:96::/112: fe80::/64'],
  ],
  [
    'one of IPv6 that refuses',
    usual,
    'unreachable default dev lo metric 4294967295 error -101\n',
    ['w1 error: fd00:10:96::/112 ends in the route unreachable ::/0'],
  ],
])('looks for one of each family of the file: %s', (_name, routes, routes6, expected) => {
  expect(found(routes, routes6, dualStack)).toEqual(expected);
});
