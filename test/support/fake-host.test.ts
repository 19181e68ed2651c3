import { describe, expect, it } from 'vitest';
import { InternalError } from '../../src/errors.ts';
import { commandQuery, fileQuery, serviceQuery } from '../../src/ops/query.ts';
import { createFakeHost } from './fake-host.ts';

const rest = { secrets: new Map<string, string>(), look: [], holder: 'x', lockTimeoutSeconds: 1, timeoutMs: 1 };

describe('a fake host', () => {
  it('answers from its model, and remembers until something is applied', async () => {
    const host = createFakeHost('n1', { files: { '/a/b': 'text' } });
    host.on('echo', 'x\n');
    const [file, folder, echo] = [fileQuery('/a/b'), fileQuery('/a'), commandQuery(['echo', 'x'])];

    const seen = await host.observe([file, folder, echo]);

    expect(seen(file)).toMatchObject({ value: { content: 'text', mode: '644', owner: 'root' } });
    expect(seen(folder)).toMatchObject({ value: { type: 'directory' } });
    expect(seen(echo)).toMatchObject({ value: { stdout: 'x\n', exitCode: 0 } });
    await host.observe([file]);
    expect(host.trips).toBe(1);
    await host.apply({ ...rest, actions: [{ kind: 'remove', path: '/a' }] });
    expect((await host.observe([file]))(file)).toEqual({ state: 'absent' });
    expect(host.trips).toBe(3);
  });

  it.fails('fails the test where a command has no answer, although the caller takes the error', async () => {
    const host = createFakeHost('n1');

    await expect(host.observe([commandQuery(['id'])])).rejects.toThrow(InternalError);
  });

  it('refuses a plan that is overtaken', async () => {
    const host = createFakeHost('n1');
    await host.observe([fileQuery('/x')]);
    host.changeBehind();

    expect(await host.apply({ ...rest, actions: [{ kind: 'remove', path: '/x' }] })).toEqual({ status: 'stale' });
    expect(host.done).toEqual([]);
  });

  it('starts a service with the digest of its drop-in', async () => {
    const host = createFakeHost('n1', {
      services: { 'a.service': {} },
      files: { '/etc/systemd/system/a.service.d/1.conf': '[Service]\nEnvironment=INSTALLER_DIGEST=d1\n' },
    });
    const query = serviceQuery('a.service');
    await host.observe([query]);

    await host.apply({ ...rest, actions: [{ kind: 'service', unit: 'a.service', do: 'restart' }] });

    expect((await host.observe([query]))(query)).toMatchObject({
      value: { activeState: 'active', startedWithDigest: 'd1', unitFileState: 'disabled' },
    });
  });

  it('fails as systemctl does where there is no such unit', async () => {
    const host = createFakeHost('n1');

    expect(await host.apply({ ...rest, actions: [{ kind: 'service', unit: 'a.service', do: 'start' }] })).toMatchObject(
      {
        status: 'failed',
        failed: { index: 0, exitCode: 5 },
      },
    );
  });
});
