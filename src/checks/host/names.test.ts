import { expect, it } from 'vitest';
import { testCluster, testConfig } from '../../../test/support/cluster.ts';
import { findingsOf } from '../../../test/support/findings.ts';
import { parseHostsFile } from '../../hosts/facts-settings.ts';
import { runChecks } from '../check.ts';
import { hostnameValid, hostsFile } from './names.ts';

it.each([
  ['node-1', true],
  ['node-1.example.com', true],
  ['1', true],
  ['a'.repeat(63), true],
  ['a'.repeat(64), false],
  ['Node1', false],
  ['node_1', false],
  ['-node', false],
  ['node.-x', false],
  ['node..x', false],
  ['localhost', false],
  ['localhost.localdomain', false],
])('judges the hostname %s', (hostname, isGood) => {
  const expected = isGood ? [] : [`w1 error: ${hostname}`];

  expect(findingsOf(hostnameValid, { facts: { w1: { hostname } } })).toEqual(expected);
});

it('says so where there is no hostname', () => {
  expect(findingsOf(hostnameValid, { facts: { w1: { hostname: '' } } })).toHaveLength(1);
});

const usual = '127.0.0.1 localhost\n::1 localhost ip6-localhost\n127.0.1.1 w1\n';

it.each<[string, string, string[]]>([
  ['a usual file', usual, []],
  ['no file', '', []],
  ['the names of the cluster', `${usual}10.0.0.11 cp1\n10.0.0.21 w1\n10.0.0.22 w2 # second\n`, []],
  ['the same line twice', '10.0.0.9 db\n10.0.0.9 db\n', []],
  ['one address of each family', '10.0.0.9 db\nfd00::9 db\n', []],
  ['localhost elsewhere', '10.0.0.21 localhost\n', ['w1 warning: localhost is 10.0.0.21']],
  ['a name with two addresses', '10.0.0.8 db\n10.0.0.9 db\n', ['w1 warning: db is 10.0.0.8 and 10.0.0.9']],
  ['a line that is commented out', '10.0.0.8 db\n#10.0.0.9 db\n', []],
  ['an old address of a host', '10.9.9.9 cp1\n', ['w1 warning: cp1 is 10.9.9.9, its node address is 10.0.0.11']],
  ['two addresses of a host', '10.9.9.9 cp1\n10.0.0.11 cp1\n', ['w1 warning: cp1 is 10.9.9.9 and 10.0.0.11']],
  ['another family of a host', 'fd00::11 cp1\n', []],
])('looks at /etc/hosts: %s', (_name, text, expected) => {
  expect(findingsOf(hostsFile, { facts: { w1: { hostsFile: parseHostsFile(text) } } })).toEqual(expected);
});

it.each<[string, Readonly<Record<string, readonly string[]>> | undefined, string[]]>([
  ['nothing that was asked', undefined, []],
  ['the right addresses', { cp1: ['10.0.0.11'], w1: ['127.0.1.1'], w2: ['fd00::22', '10.0.0.22'] }, []],
  ['names that nobody knows', { cp1: [], w2: [] }, ['w1 warning: no address is known for cp1, w2']],
  ['a name of somebody else', { cp1: ['10.9.9.9'] }, ['w1 warning: cp1 is 10.9.9.9, its node address is 10.0.0.11']],
])('looks at what a host knows of the others by name: %s', (_name, answers, expected) => {
  const cluster = testCluster();
  cluster.probed = new Map([['w1', answers === undefined ? {} : { hostNames: new Map(Object.entries(answers)) }]]);
  const found = runChecks([hostsFile], cluster);

  expect(found.map(({ host, severity, actual }) => `${host ?? ''} ${severity}: ${actual}`)).toEqual(expected);
});

it.each([
  ['a'.repeat(36), []],
  ['a'.repeat(37), ['warning']],
])('judges the name of the node %s', (name, expected) => {
  const hosts = `    - { name: ${name}, address: 10.0.0.11, roles: [control-plane] }\n`;
  const found = runChecks([hostnameValid], testCluster({ config: testConfig('', hosts) }));

  expect(found.map(({ severity }) => severity)).toEqual(expected);
});

it('says where prepare-hosts will give the host another name', () => {
  const spec = '  hostSettings: { manageHostname: true }\n';

  expect(findingsOf(hostnameValid, { facts: { w1: { hostname: 'Bad_Name' } }, spec })).toEqual(['w1 info: Bad_Name']);
});
