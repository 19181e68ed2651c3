import { expect, it } from 'vitest';
import { findingsOf } from '../../../test/support/findings.ts';
import type { InterfaceAddress } from '../../hosts/facts-network.ts';
import { addressValid } from './network.ts';

const dualStack = `  network:
    podSubnets: [10.244.0.0/16, fd00:10:244::/56]
    serviceSubnets: [10.96.0.0/12, fd00:10:96::/112]
`;

function address(name: string, text: string, prefixLength: number): InterfaceAddress {
  return { interface: name, address: text, prefixLength };
}

const usual = [address('lo', '127.0.0.1', 8), address('eth0', '10.0.0.21', 24)];
const missing = ['w1 error: no address of IPv6 beside loopback and link-local ones'];

it.each<[string, InterfaceAddress[], string, string[]]>([
  ['IPv4 where nothing else is asked for', [], '', []],
  ['both families', [address('eth0', 'fd00::21', 64)], dualStack, []],
  ['IPv4 alone', [], dualStack, missing],
  ['a link-local address of IPv6', [address('eth0', 'fe80::1', 64)], dualStack, missing],
  ['a loopback address of IPv6', [address('lo', '::1', 128), address('lo', 'fd00::1', 128)], dualStack, missing],
])('looks for an address of each family: %s', (_name, more, spec, expected) => {
  const facts = {
    cp1: { addresses: [...usual, address('eth0', '10.0.0.11', 24), address('eth0', 'fd00::11', 64)] },
    w1: { addresses: [...usual, ...more] },
    w2: { addresses: [address('eth0', '10.0.0.22', 24), address('eth1', 'fd00::22', 64)] },
  };

  expect(findingsOf(addressValid, { facts, spec })).toEqual(expected);
});
