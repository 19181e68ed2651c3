import { describe, expect, it } from 'vitest';
import { createFakeHost, type FakeHost } from '../../test/support/fake-host.ts';
import { converge, planOn } from '../../test/support/steps.ts';
import { unloadProfilesStep } from './apparmor-step.ts';

describe('unloadProfilesStep', () => {
  const step = unloadProfilesStep('a');

  function host(profiles: string): FakeHost {
    const made = createFakeHost('n1');
    let loaded = profiles;
    made.on('/bin/sh -c p=/sys', () => loaded);
    made.on('/bin/sh -c if command -v aa-teardown', () => ((loaded = '0\n'), ''));
    return made;
  }

  it.each([
    ['12\n', ['unload 12 profiles of AppArmor']],
    ['1\n', ['unload 1 profile of AppArmor']],
    ['0\n', []],
    ['', []],
  ])('with %j loaded: %j', async (profiles, summaries) => {
    expect(await converge(host(profiles), step)).toEqual(summaries);
  });

  it('acts on nothing that it could not read', async () => {
    const made = host('1');
    made.on('/bin/sh -c p=/sys', { unknown: 'too slow' });

    expect(await planOn(made, step)).toMatchObject({ kind: 'blocked', code: 'FILE_UNREADABLE' });
  });
});
