import { describe, expect, it } from 'vitest';
import { createFakeHost } from '../../test/support/fake-host.ts';
import { changesOn, converge, planOn } from '../../test/support/steps.ts';
import { customStep, editStep } from './edit-step.ts';

const reload = { kind: 'service', unit: '', do: 'daemon-reload' } as const;

describe('editStep', () => {
  const step = editStep({
    id: 'edit',
    path: '/etc/hosts',
    summary: 'add a name',
    edit: (content) => (content.includes('n1') ? content : `${content}10.0.0.1 n1\n`),
    then: [reload],
  });

  it('changes its part, keeps the mode, and does what comes after', async () => {
    const host = createFakeHost('n1', { files: { '/etc/hosts': { content: '127.0.0.1 localhost\n', mode: '664' } } });

    expect(await converge(host, step)).toEqual(['add a name in /etc/hosts']);
    expect(host.files.get('/etc/hosts')).toMatchObject({ content: '127.0.0.1 localhost\n10.0.0.1 n1\n', mode: '664' });
    expect(host.done).toEqual(['write /etc/hosts (664)', 'systemctl daemon-reload']);
  });

  it('makes a file that is missing', async () => {
    const host = createFakeHost('n1');

    expect(await changesOn(host, step)).toMatchObject([{ before: undefined, after: '10.0.0.1 n1\n' }]);
    await converge(host, step);
    expect(host.files.get('/etc/hosts')).toMatchObject({ content: '10.0.0.1 n1\n', mode: '644' });
  });

  it('plans nothing where the text stays', async () => {
    const host = createFakeHost('n1', { files: { '/etc/hosts': '::1 n1\n' } });

    expect(await converge(host, step)).toEqual([]);
  });

  it.each<[string, (host: ReturnType<typeof createFakeHost>) => unknown, string]>([
    ['cannot be read', (host) => host.unreadable.set('/etc/hosts', 'EIO'), 'FILE_UNREADABLE'],
    ['holds bytes of zero, as after a power cut', (host) => host.write('/etc/hosts', 'a\0\0'), 'NOT_TEXT'],
    ['is a folder', (host) => host.write('/etc/hosts/below', ''), 'NOT_TEXT'],
  ])('leaves a file alone that %s', async (_name, change, code) => {
    const host = createFakeHost('n1');
    change(host);

    expect(await planOn(host, step)).toMatchObject({ kind: 'blocked', code });
  });

  it('leaves a file alone whose bytes are no UTF-8, which it could not write back', () => {
    const value = {
      type: 'file',
      mode: '644',
      owner: 'root',
      group: 'root',
      sizeBytes: 3,
      sha256: 'f'.repeat(64),
      content: 'M\ufffdller\n',
    } as const;

    expect(step.plan(() => ({ state: 'present', value }) as never)).toMatchObject({
      kind: 'blocked',
      code: 'NOT_TEXT',
    });
  });
});

describe('customStep', () => {
  it('is its parts', () => {
    const plan = (): never => {
      throw new Error('not asked');
    };

    expect(customStep('id', [], plan)).toEqual({ id: 'id', observe: [], plan });
  });
});
