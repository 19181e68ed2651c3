import { expect, it } from 'vitest';
import { findingsOf, ours } from '../../../test/support/findings.ts';
import { goodFacts } from '../../../test/support/cluster.ts';
import type { InterfaceAddress, Route } from '../../hosts/facts-network.ts';
import { subnetsDisjoint } from './subnets.ts';

const usual = goodFacts(21);

function address(name: string, text: string, prefixLength = 24): InterfaceAddress {
  return { interface: name, address: text, prefixLength };
}

function route(destination: string, name: string, via?: string): Route {
  return { destination, via, interface: name };
}

function refused(refusal: NonNullable<Route['refusal']>, destination: string): Route {
  return { refusal, destination, via: undefined, interface: undefined };
}

function lines(addresses: InterfaceAddress[], routes: Route[], isMember = false): string[] {
  const facts = {
    addresses: [...usual.addresses, ...addresses],
    routes: [...usual.routes, ...routes],
    ...(isMember ? { identity: ours } : {}),
  };
  return findingsOf(subnetsDisjoint, { facts: { w1: facts } });
}

const ofPods: [InterfaceAddress[], Route[]] = [
  [address('cni0', '10.244.1.1'), address('flannel.1', '10.244.1.0', 32), address('kube-ipvs0', '10.96.0.1', 32)],
  [
    route('10.244.1.0/24', 'cni0'),
    route('10.244.0.0/24', 'flannel.1', '10.244.0.0'),
    route('10.244.2.0/24', 'eth0', '10.0.0.22'),
  ],
];

it.each<[string, string[], string[]]>([
  ['nothing of the kind', lines([], []), []],
  ['addresses beside the subnets', lines([address('eth1', '10.243.255.1')], [route('10.243.255.0/24', 'eth1')]), []],
  [
    'an address in the pod subnet',
    lines([address('eth1', '10.244.7.1')], []),
    ['w1 error: 10.244.7.1 (eth1) lies in the pod subnet 10.244.0.0/16'],
  ],
  [
    'an address in the service subnet',
    lines([address('docker0', '10.100.0.1', 16)], [route('10.100.0.0/16', 'docker0')]),
    [
      'w1 error: 10.100.0.1 (docker0) lies in the service subnet 10.96.0.0/12',
      'w1 error: the route 10.100.0.0/16 (docker0) leads into the service subnet 10.96.0.0/12',
    ],
  ],
  [
    'a route into the pod subnet',
    lines([], [route('10.244.128.0/17', 'eth0', '10.0.0.1')]),
    ['w1 error: the route 10.244.128.0/17 (eth0) leads into the pod subnet 10.244.0.0/16'],
  ],
  [
    'a route to one host in it',
    lines([], [route('10.244.9.9', 'eth0', '10.0.0.1')]),
    ['w1 error: the route 10.244.9.9 (eth0) leads into the pod subnet 10.244.0.0/16'],
  ],
  [
    'the wide route of a site',
    lines([], [route('10.0.0.0/8', 'eth0', '10.0.0.1')]),
    [
      'w1 warning: the route 10.0.0.0/8 (eth0) covers the pod subnet 10.244.0.0/16, and more',
      'w1 warning: the route 10.0.0.0/8 (eth0) covers the service subnet 10.96.0.0/12, and more',
    ],
  ],
  [
    'a route that refuses the pod subnet',
    lines([], [refused('blackhole', '10.244.0.0/16')]),
    ['w1 error: the route blackhole 10.244.0.0/16 leads into the pod subnet 10.244.0.0/16'],
  ],
  [
    'one that refuses the service subnet',
    lines([], [refused('prohibit', '10.96.0.0/12')]),
    ['w1 error: the route prohibit 10.96.0.0/12 leads into the service subnet 10.96.0.0/12'],
  ],
  [
    'one that refuses more than the subnets',
    lines([], [refused('unreachable', '10.0.0.0/8')]),
    ['w1 warning: the route unreachable 10.0.0.0/8 covers the pod subnet 10.244.0.0/16, and more'],
  ],
  ['one that refuses everything else', lines([], [refused('unreachable', '::/0')]), []],
  [
    'one that refuses pods of this cluster, which flannel does not make',
    lines([], [refused('blackhole', '10.244.1.0/26')], true),
    ['w1 error: the route blackhole 10.244.1.0/26 leads into the pod subnet 10.244.0.0/16'],
  ],
  ['a default route in two halves', lines([], [route('0.0.0.0/1', 'tun0'), route('128.0.0.0/1', 'tun0')]), []],
  ['the route for services that default-route asks for', lines([], [route('10.96.0.0/12', 'eth0')]), []],
  ['its own pods', lines(...ofPods, true), []],
  ['routes and addresses of IPv6', lines([address('eth1', 'fd00::1', 64)], [route('fe80::/64', 'eth0')]), []],
])('looks at addresses and routes: %s', (_name, found, expected) => {
  expect(found).toEqual(expected);
});

it("takes routes that refuse for those of the file's own network plugin", () => {
  const facts = { identity: ours, routes: [...usual.routes, refused('blackhole', '10.244.1.0/26')] };

  expect(findingsOf(subnetsDisjoint, { facts: { w1: facts }, spec: '  network: { plugin: none }\n' })).toEqual([]);
});

it('takes what a former cluster left for what it is', () => {
  expect(lines(...ofPods)).toHaveLength(6);
});

it('takes pods for its own where only root could tell', () => {
  const [addresses, routes] = ofPods;
  const more = address('eth1', '10.244.7.1');
  const facts = { isRoot: false, addresses: [...usual.addresses, ...addresses, more], routes };

  expect(findingsOf(subnetsDisjoint, { facts: { w1: facts } })).toEqual([
    'w1 error: 10.244.7.1 (eth1) lies in the pod subnet 10.244.0.0/16',
  ]);
});

it('knows foreign addresses on a host of the cluster', () => {
  expect(lines([address('eth1', '10.244.7.1')], [], true)).toEqual([
    'w1 error: 10.244.7.1 (eth1) lies in the pod subnet 10.244.0.0/16',
  ]);
});
