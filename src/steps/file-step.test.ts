import { describe, expect, it } from 'vitest';
import { createFakeHost, type FakeFile } from '../../test/support/fake-host.ts';
import { changesOn, converge, planOn } from '../../test/support/steps.ts';
import { secretPlaceholder } from '../ops/secrets.ts';
import { fileStep, sha256, type FileStepInput } from './file-step.ts';

const base: FileStepInput = { id: 'conf', path: '/etc/x.conf', content: 'a = 1\n', mode: '644' };

describe('fileStep', () => {
  it.each<[string, Partial<FakeFile> | undefined, string]>([
    ['is missing', undefined, 'it is missing'],
    ['has other content', { content: 'a = 2\n' }, 'its content differs'],
    ['has another mode', { content: base.content, mode: '600' }, 'its mode is 600'],
    ['has another owner', { content: base.content, owner: 'ops' }, 'its owner is ops'],
    ['is a link that leads nowhere', { type: 'symlink', mode: '777' }, 'its content differs'],
    [
      'is wrong in every way',
      { content: '', mode: '666', owner: 'ops' },
      'its content differs, its mode is 666, its owner is ops',
    ],
  ])('writes a file that %s', async (_name, file, reason) => {
    const host = createFakeHost('n1', { files: file === undefined ? {} : { [base.path]: file } });

    expect(await converge(host, fileStep(base))).toEqual([expect.stringContaining(reason)]);
    expect(host.files.get(base.path)).toEqual({ content: base.content, mode: '644', owner: 'root', type: 'file' });
  });

  it('leaves a file alone that is as it should be', async () => {
    const host = createFakeHost('n1', { files: { [base.path]: base.content } });

    expect(await converge(host, fileStep(base))).toEqual([]);
  });

  it('shows the text before and after', async () => {
    const host = createFakeHost('n1', { files: { [base.path]: 'old' } });

    expect(await changesOn(host, fileStep({ ...base, disruptive: true }))).toMatchObject([
      { before: 'old', after: base.content, disruptive: true },
    ]);
  });

  it('does what comes after the write in the same change', async () => {
    const host = createFakeHost('n1');
    const reload = { kind: 'service', unit: '', do: 'daemon-reload' } as const;

    await converge(host, fileStep({ ...base, then: [reload] }));

    expect(host.done).toEqual(['write /etc/x.conf (644)', 'systemctl daemon-reload']);
  });

  it.each<[string, (host: ReturnType<typeof createFakeHost>) => unknown, string, RegExp]>([
    ['cannot be read', (host) => host.unreadable.set(base.path, 'EIO'), 'FILE_UNREADABLE', /EIO/],
    ['is a folder', (host) => host.write(`${base.path}/below`, ''), 'NOT_A_FILE', /folder/],
    ['is a device', (host) => host.write(base.path, '', { type: 'other' }), 'NOT_A_FILE', /neither a file/],
  ])('writes nothing where the path %s', async (_name, change, code, reason) => {
    const host = createFakeHost('n1');
    change(host);

    expect(await planOn(host, fileStep(base))).toMatchObject({
      kind: 'blocked',
      code,
      reason: expect.stringMatching(reason) as string,
    });
  });

  it('names a unit that is masked', async () => {
    const path = '/etc/systemd/system/kubelet.service';
    const host = createFakeHost('n1', { files: { [path]: { type: 'other' } } });

    expect(await planOn(host, fileStep({ ...base, path }))).toMatchObject({
      kind: 'blocked',
      reason: expect.stringContaining('kubelet.service is masked') as string,
    });
  });

  describe('with secrets', () => {
    const secrets = new Map([['registry', 'Basic dTpw']]);
    const step = fileStep({ ...base, content: `auth = ${secretPlaceholder('registry')}\n`, mode: '600', secrets });

    it('compares digests and never asks for the text', async () => {
      const host = createFakeHost('n1', { files: { [base.path]: { content: 'auth = Basic old\n', mode: '600' } } });

      const [change] = await changesOn(host, step);

      expect(step.observe).toEqual([{ kind: 'file', path: base.path, content: false }]);
      expect(change?.before).toBeUndefined();
      expect(JSON.stringify(change)).not.toContain('dTpw');
      expect(change?.after).toBe('auth = {{secret:registry}}\n');
    });

    it('converges on the filled text', async () => {
      const host = createFakeHost('n1');

      await converge(host, step, secrets);

      expect(host.text(base.path)).toBe('auth = Basic dTpw\n');
      expect(await converge(host, step, secrets)).toEqual([]);
    });
  });

  it('does first what has to be done before the write', async () => {
    const first = [{ kind: 'run', argv: ['true'], timeoutSeconds: 1 } as const];

    const [change] = await changesOn(createFakeHost('n1'), fileStep({ ...base, first }));

    expect(change?.actions.map(({ kind }) => kind)).toEqual(['run', 'write-file']);
  });
});

describe('sha256', () => {
  it('is that of the text in UTF-8', () => {
    expect(sha256('é')).toBe('4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c');
  });
});
