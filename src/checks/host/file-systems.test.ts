import { describe, expect, it } from 'vitest';
import { findingsOf } from '../../../test/support/findings.ts';
import type { Mount } from '../../hosts/facts-settings.ts';
import { diskFilesystem, fileSystemsWritable, tmpUsable } from './file-systems.ts';

function mount(path: string, options: string): Mount {
  return { path, options: options.split(',') };
}

const root = mount('/', 'rw,relatime');

describe('disk-filesystem', () => {
  it.each<[string[], string[]]>([
    [[], []],
    [['/var/lib/containerd'], ['w1 error: ftype=0 on /var/lib/containerd']],
  ])('names file systems without file types: %j', (xfsWithoutFileTypes, expected) => {
    expect(findingsOf(diskFilesystem, { facts: { w1: { xfsWithoutFileTypes } } })).toEqual(expected);
  });
});

describe('file-systems-writable', () => {
  it.each<[string, Mount[], string[]]>([
    ['one that is', [root], []],
    ['mounts that could not be read', [], []],
    ['a read-only /etc', [root, mount('/etc', 'ro')], ['w1 error: /etc is read-only']],
    ['a read-only /usr', [root, mount('/usr', 'ro')], ['w1 error: /usr/local is on /usr, which is read-only']],
    ['a read-only /usr with another /usr/local', [root, mount('/usr', 'ro'), mount('/usr/local', 'rw')], []],
    [
      'a read-only /',
      [mount('/', 'ro,relatime'), mount('/var', 'rw')],
      ['w1 error: /etc is on /, which is read-only', 'w1 error: /usr/local is on /, which is read-only'],
    ],
    ['an option that only begins so', [mount('/', 'rw,rootcontext=x')], []],
  ])('looks at %s', (_name, mounts, expected) => {
    expect(findingsOf(fileSystemsWritable, { facts: { w1: { mounts } } })).toEqual(expected);
  });
});

describe('tmp-usable', () => {
  it.each<[string, string | undefined, Mount[], string[]]>([
    ['a usual one', '1777', [root], []],
    ['one in memory', '1777', [root, mount('/tmp', 'rw,nosuid,nodev')], []],
    ['none', undefined, [root], ['w1 error: there is no folder /tmp']],
    ['a private one', '700', [root], ['w1 error: mode 700']],
    ['a read-only one', '1777', [root, mount('/tmp', 'ro')], ['w1 error: /tmp is read-only']],
    [
      'one without programs',
      '1777',
      [root, mount('/tmp', 'rw,noexec')],
      ['w1 warning: mounted noexec; installers of drivers and add-ons start programs there'],
    ],
  ])('judges %s', (_name, temporaryFolderMode, mounts, expected) => {
    expect(findingsOf(tmpUsable, { facts: { w1: { temporaryFolderMode, mounts } } })).toEqual(expected);
  });
});
