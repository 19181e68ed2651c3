import { describe, expect, it } from 'vitest';
import type { CommandSeen, Seen } from '../ops/query.ts';
import { configMapData } from './cluster-objects.ts';
import { kubectlArgv, kubectlFailure, kubectlJson, kubectlQuery } from './kubectl.ts';
import { isReady, itemNames, nodeSchema, parseItems, podSchema } from './objects.ts';

function answer(given: Partial<CommandSeen>): Seen<CommandSeen> {
  return { state: 'present', value: { exitCode: 0, stdout: '', stderr: '', durationMs: 1, ...given } };
}

describe('kubectl', () => {
  it('is called with the credentials of the host and a limit for each request', () => {
    expect(kubectlArgv(['get', 'nodes'])).toEqual([
      'kubectl',
      '--kubeconfig=/etc/kubernetes/admin.conf',
      '--request-timeout=10s',
      'get',
      'nodes',
    ]);
    expect(kubectlArgv(['x'], { kubeconfig: '/k', requestSeconds: 3 })).toEqual([
      'kubectl',
      '--kubeconfig=/k',
      '--request-timeout=3s',
      'x',
    ]);
  });

  it('has more time as a command than a request has', () => {
    expect(kubectlQuery(['x'], { requestSeconds: 5, stdin: 'in' })).toMatchObject({ timeoutSeconds: 15, stdin: 'in' });
  });

  it.each<[string, Seen<CommandSeen>, unknown]>([
    ['its JSON', answer({ stdout: '{"items":[1]}' }), { items: [1] }],
    ['an empty list where it printed nothing', answer({ stdout: '\n' }), { items: [] }],
    ['nothing where it failed', answer({ exitCode: 1, stdout: '{}' }), undefined],
    ['nothing where the output is no JSON', answer({ stdout: '{"items":' }), undefined],
    ['nothing where it is missing', { state: 'absent' }, undefined],
    ['nothing where it did not end', { state: 'unknown', reason: 'late' }, undefined],
  ])('answers %s', (_name, seen, expected) => {
    expect(kubectlJson(seen)).toEqual(expected);
  });

  it.each<[string, Seen<CommandSeen>, string]>([
    ['its last line', answer({ exitCode: 1, stderr: 'noise\nrefused\n' }), 'refused'],
    ['its exit status where it said nothing', answer({ exitCode: 9 }), 'kubectl ended with 9'],
    ['that it is missing', { state: 'absent' }, 'kubectl is not installed'],
    ['why it is not known', { state: 'unknown', reason: 'late' }, 'late'],
  ])('fails with %s', (_name, seen, expected) => {
    expect(kubectlFailure(seen)).toBe(expected);
  });
});

describe('objects', () => {
  it('are read loosely: what does not fit is left out, and what is not known stays', () => {
    const list = { items: [{ metadata: { name: 'a', uid: '1' }, status: { x: 1 } }, { metadata: {} }, 'text', null] };

    expect(parseItems(list, nodeSchema)).toEqual([{ metadata: { name: 'a', uid: '1' }, spec: {}, status: { x: 1 } }]);
  });

  it.each([undefined, null, 'text', {}, { items: 'none' }])('are none in %j', (value) => {
    expect(parseItems(value, podSchema)).toEqual([]);
  });

  it('have names by kind', () => {
    const items = [
      { kind: 'Node', metadata: { name: 'a' } },
      { kind: 'ConfigMap', metadata: { name: 'b' } },
      { metadata: { name: 'c' } },
    ];

    expect(itemNames({ items })).toEqual(new Set(['Node/a', 'ConfigMap/b']));
  });

  it.each([
    ['True', true],
    ['False', false],
    ['Unknown', false],
  ])('with condition Ready %s are ready: %s', (status, expected) => {
    const conditions = [
      { type: 'MemoryPressure', status: 'True' },
      { type: 'Ready', status },
    ];

    expect(isReady({ status: { conditions } })).toBe(expected);
  });

  it('without conditions are not ready', () => {
    expect(isReady({ status: {} })).toBe(false);
  });

  it.each([
    ['a', { k: 'v' }],
    ['b', {}],
    ['c', undefined],
  ])('give the data of ConfigMap %s', (name, expected) => {
    const items = [
      { kind: 'Node', metadata: { name: 'c' } },
      { kind: 'ConfigMap', metadata: { name: 'a' }, data: { k: 'v' } },
      { kind: 'ConfigMap', metadata: { name: 'b' } },
    ];

    expect(configMapData({ items }, name)).toEqual(expected);
  });
});
