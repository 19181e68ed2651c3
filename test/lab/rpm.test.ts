import { describe, expect, test } from 'vitest';
import { addressesOf, hostNames, rpmHostNames } from './state.ts';
import { renderSpec, rpmVersion } from './upstream/rpm-build.ts';

describe('rpm packages out of Debian packages', () => {
  test.each([
    ['1:1.4.7-1+b2', { epoch: '1', version: '1.4.7', release: '1+b2.lab' }],
    ['2.6.2-4+deb12u1', { epoch: '0', version: '2.6.2', release: '4+deb12u1.lab' }],
    ['7-2.1.12~rc1-8', { epoch: '0', version: '7.2.1.12~rc1', release: '8.lab' }],
    ['3.0', { epoch: '0', version: '3.0', release: '0.lab' }],
  ])('the version %s is one that rpm can hold', (debian, expected) => {
    expect(rpmVersion(debian)).toEqual(expected);
  });

  test('a spec names what is provided, required, packed, and the user that it makes', () => {
    const source = {
      name: 'x',
      debianVersion: '1:2-3',
      provides: ['y'],
      requires: ['z'],
      user: 'u',
      payload: '/tmp/x',
    };
    const spec = renderSpec(source, '/tmp/files');
    for (const line of [
      'Epoch: 1',
      'Provides: y',
      'Requires: z',
      '%files -f /tmp/files',
      'cp -a /tmp/x/. %{buildroot}/',
    ])
      expect(spec.split('\n')).toContain(line);
    expect(spec).toContain('useradd -r -s /usr/sbin/nologin -d / u');
  });
});

test('hosts of neither family move when the other grows', () => {
  const state = { prefix: '10.88.0', sudoPassword: '', minors: [], upstream: false };
  const few = addressesOf({ ...state, hostNames: hostNames(1), rpmHostNames: rpmHostNames(2) });
  const more = addressesOf({ ...state, hostNames: hostNames(3), rpmHostNames: rpmHostNames(2) });

  expect([...few]).toEqual([
    ['node1', '10.88.0.11'],
    ['rpm1', '10.88.0.111'],
    ['rpm2', '10.88.0.112'],
  ]);
  expect(more.get('rpm2')).toBe('10.88.0.112');
});
