import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dockerCredentials } from './credentials.ts';

describe('dockerCredentials', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'docker-config-'));
    for (const [name, script] of [
      ['none', 'echo credentials not found in native keychain; exit 1'],
      ['broken', 'echo s3cret; exit 3'],
      ['token', 'echo \'{"Username":"<token>","Secret":"id"}\''],
    ] as const) {
      await writeFile(join(dir, `docker-credential-${name}`), `#!/bin/sh\n${script}\n`);
      await chmod(join(dir, `docker-credential-${name}`), 0o755);
    }
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  const find = async (config: unknown, registry = 'quay.io'): Promise<unknown> => {
    await writeFile(join(dir, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config));
    return dockerCredentials({ DOCKER_CONFIG: dir, PATH: `${dir}:/usr/bin:/bin` })(registry);
  };
  const auth = Buffer.from('u:p:w').toString('base64');

  it.each([
    ['an entry', { auths: { 'quay.io': { auth } } }, 'quay.io', { username: 'u', password: 'p:w' }],
    [
      'an entry with a scheme',
      { auths: { 'https://quay.io': { auth } } },
      'quay.io',
      { username: 'u', password: 'p:w' },
    ],
    [
      'Docker Hub',
      { auths: { 'https://index.docker.io/v1/': { auth } } },
      'docker.io',
      { username: 'u', password: 'p:w' },
    ],
    ['an identity token', { auths: { 'quay.io': { auth, identitytoken: 'id' } } }, 'quay.io', { identityToken: 'id' }],
    ['a helper that has an identity token', { credsStore: 'token' }, 'quay.io', { identityToken: 'id' }],
    [
      'a helper that has nothing, before an entry',
      { credsStore: 'none', auths: { 'quay.io': { auth } } },
      'quay.io',
      { username: 'u', password: 'p:w' },
    ],
    ['nothing', {}, 'quay.io', undefined],
  ])('finds %s', async (_name, config, registry, expected) => {
    expect(await find(config, registry)).toEqual(expected);
  });

  it('takes an absent file for no credentials', async () => {
    expect(await dockerCredentials({ DOCKER_CONFIG: join(dir, 'none') })('quay.io')).toBeUndefined();
  });

  it.each([
    ['{"auths": s3cret', 'is not JSON'],
    [{ credHelpers: { 'quay.io': 'broken' } }, 'ended with 3'],
    [{ credsStore: 'absent' }, 'cannot be run'],
    [{ credsStore: '../x' }, 'cannot be the name'],
    [{ auths: { 'quay.io': { auth: 's3cret' } } }, 'is not USER:PASSWORD'],
  ])('says what is wrong with %j, without secrets', async (config, says) => {
    const error = await find(config).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'OCI_CREDENTIALS', message: expect.stringContaining(says) as string });
    expect(JSON.stringify(error) + String(error)).not.toContain('s3cret');
  });
});
