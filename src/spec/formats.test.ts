import { describe, expect, it } from 'vitest';
import {
  checkAddress,
  checkBaseUrl,
  checkCidr,
  checkClusterName,
  checkContainerdVersion,
  checkEndpoint,
  checkEnvironmentName,
  checkHostName,
  checkIp,
  checkKubernetesVersion,
  checkLabelKey,
  checkLabelValue,
  checkPath,
  checkServerName,
  checkTaint,
  checkUserName,
  formatEndpoint,
  parseEndpoint,
  parseTaint,
} from './formats.ts';

const long = (length: number): string => 'a'.repeat(length);

describe.each([
  { check: checkClusterName, good: ['a', 'demo-1', long(40)], bad: ['', 'Demo', '-a', 'a-', 'a.b', 'a_b', long(41)] },
  {
    check: checkHostName,
    good: ['a', 'worker-1.rack-a', '1', long(63)],
    bad: ['', 'Worker', 'a..b', 'a.-b', 'a-.b', '.a', 'a.', 'a_b', long(64)],
  },
  {
    check: checkAddress,
    good: ['10.0.0.1', 'fd00::1', 'host', 'Host.Example.com', '1host'],
    bad: ['', '10.0.0.256', '10.0.0', 'host:22', '[fd00::1]', 'http://host', 'a b', 'fe80::1%eth0', '-a'],
  },
  { check: checkIp, good: ['10.0.0.1', '::1'], bad: ['host', '10.0.0.0/8', ''] },
  { check: checkCidr, good: ['10.244.0.0/16', 'fd00::/48'], bad: ['10.244.0.1/16', '10.244.0.0', 'fd00::1/64', 'x'] },
  {
    check: checkKubernetesVersion,
    good: ['v1.36.3', 'v1.37.10'],
    bad: ['1.36.3', 'v1.36', 'v1.36.3-rc.1', 'v1.036.3', 'latest', ''],
  },
  { check: checkContainerdVersion, good: ['2.2.3', '2.3.0-rc.1'], bad: ['v2.2.3', '2.2', ''] },
  {
    check: checkLabelKey,
    good: ['a', 'A.b_c-9', 'example.com/disk', 'node-role.kubernetes.io/worker', `${long(63)}/${long(63)}`],
    bad: ['', '-a', 'a-', 'a b', 'Example.com/a', '/a', 'a/', 'a/b/c', long(64), `${long(254)}/a`],
  },
  { check: checkLabelValue, good: ['', 'a', 'A_b.c-9', long(63)], bad: ['-a', 'a.', 'a b', 'ä', long(64)] },
  {
    check: checkTaint,
    good: ['a=b:NoSchedule', 'a:NoExecute', 'a=:PreferNoSchedule', 'example.com/gpu=x:NoSchedule'],
    bad: [
      'a',
      'a=b',
      'a:noschedule',
      ':NoSchedule',
      'a=b=c:NoSchedule',
      'a=b:NoSchedule:x',
      'a b:NoSchedule',
      '-a:NoExecute',
    ],
  },
  {
    check: checkEndpoint,
    good: ['10.0.0.1', '10.0.0.1:6443', 'api.example.com', 'api:8443', 'fd00::1', '[fd00::1]:6443', '[fd00::1]'],
    bad: ['', 'https://api', 'api:0', 'api:65536', 'api:', ':6443', '[10.0.0.1]:6443', '[fd00::1', 'api:6443/x'],
  },
  {
    check: checkServerName,
    good: ['docker.io', 'registry.example.com:5000', '10.0.0.1:5000', 'localhost:5000'],
    bad: ['https://docker.io', 'docker.io/library', 'docker.io:', ''],
  },
  {
    check: checkBaseUrl,
    good: ['http://host', 'https://host:5000/a/b/', 'http://[fd00::1]:80'],
    bad: ['host', 'ftp://host', 'https://user:pw@host', 'https://host?x=1', 'https://host#x', ''],
  },
  { check: checkEnvironmentName, good: ['A', '_a9'], bad: ['', '9a', 'a-b', 'a b'] },
  { check: checkPath, good: ['a', '~/a b', '/a'], bad: ['', 'a\nb', 'a\0'] },
  { check: checkUserName, good: ['root', 'ops_1', 'a.b-c'], bad: ['', '-a', 'a b', '1a', 'a@b', long(33)] },
])('$check.name', ({ check, good, bad }) => {
  it.each(good)('accepts %j', (text) => {
    expect(check(text)).toBeUndefined();
  });

  it.each(bad)('says what is wrong with %j', (text) => {
    expect(check(text)).toEqual(expect.stringMatching(/\w/));
  });
});

describe('hints', () => {
  it.each([
    [checkKubernetesVersion, '1.36.3', 'did you mean "v1.36.3"?'],
    [checkContainerdVersion, 'v2.2.3', 'did you mean "2.2.3"?'],
    [checkCidr, '10.244.1.0/16', 'did you mean "10.244.0.0/16"?'],
    [checkTaint, 'a:NoExcute', 'did you mean "NoExecute"?'],
  ])('%o of %s', (check, text, hint) => {
    expect(check(text)).toContain(hint);
  });

  it('leave out what may be a secret', () => {
    expect(checkEnvironmentName('hunter2!')).not.toContain('hunter2');
    expect(checkBaseUrl('https://user:hunter2@host')).not.toContain('hunter2');
  });
});

describe('parseTaint', () => {
  it.each([
    ['a=b:NoSchedule', { key: 'a', value: 'b', effect: 'NoSchedule' }],
    ['a:NoExecute', { key: 'a', value: '', effect: 'NoExecute' }],
  ])('reads %s', (text, taint) => {
    expect(parseTaint(text)).toEqual(taint);
  });

  it('throws for what checkTaint refuses', () => {
    expect(() => parseTaint('a')).toThrow('not a taint');
  });
});

describe('parseEndpoint', () => {
  it.each([
    ['api.example.com', { host: 'api.example.com', port: 6443 }, 'api.example.com:6443'],
    ['10.0.0.1:8443', { host: '10.0.0.1', port: 8443 }, '10.0.0.1:8443'],
    ['fd00::1', { host: 'fd00::1', port: 6443 }, '[fd00::1]:6443'],
    ['[fd00::1]:8443', { host: 'fd00::1', port: 8443 }, '[fd00::1]:8443'],
  ])('reads %s', (text, endpoint, written) => {
    expect(parseEndpoint(text, 6443)).toEqual(endpoint);
    expect(formatEndpoint(endpoint)).toBe(written);
  });
});
