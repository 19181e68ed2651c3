import { describe, expect, it } from 'vitest';
import { describeAction, type Action } from './action.ts';
import { coalesceReloads } from './coalesce.ts';

const reload: Action = { kind: 'service', unit: '', do: 'daemon-reload' };
const enable: Action = { kind: 'service', unit: 'a.service', do: 'enable' };
const restart: Action = { kind: 'service', unit: 'a.service', do: 'restart' };
const write: Action = { kind: 'write-file', path: '/a', content: '', mode: '644' };

describe('coalesceReloads', () => {
  it.each<[string, Action[], Action[]]>([
    ['keeps a reload before a start', [write, reload, restart], [write, reload, restart]],
    ['makes one of several in a row', [write, reload, write, reload, restart], [write, write, reload, restart]],
    ['leaves the reload to enable', [write, reload, reload, enable, reload, restart], [write, enable, restart]],
    [
      'reloads again for what was written after enable',
      [enable, write, reload, restart],
      [enable, write, reload, restart],
    ],
    ['keeps one that nothing follows', [write, reload], [write, reload]],
    ['keeps the first one although nothing was written in this run', [reload, restart], [reload, restart]],
  ])('%s', (_, actions, expected) => {
    expect(coalesceReloads(actions).map(describeAction)).toEqual(expected.map(describeAction));
  });
});
