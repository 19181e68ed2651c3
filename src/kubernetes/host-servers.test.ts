import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { testCluster, testConfig } from '../../test/support/cluster.ts';
import type { Cluster } from './cluster.ts';
import { curlConfig, fetchServers, needsCurl, readHostServers, repositoryAccess } from './host-servers.ts';
import type { Supply } from './supply.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'host-servers-'));
  await writeFile(join(dir, 'ca.pem'), 'PEM\n');
  vi.stubEnv('REPO_PASSWORD', 's3cret-word');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(dir, { recursive: true, force: true });
});

const reader = '{ username: reader, password: { env: REPO_PASSWORD } }';

function clusterWith(servers: string, repository = 'https://other.example.com/debian', supply?: Supply): Cluster {
  const spec = `  artifacts: { mirrors: { dl.k8s.io: 'https://repo.example.com/k8s' }, servers: ${servers} }
  hostSettings: { packageRepositories: { repositories: [{ name: site, url: '${repository}' }] } }\n`;
  return { ...testCluster({ config: testConfig(spec) }), supply };
}

const mirrored = 'https://repo.example.com/k8s/v1/kubeadm';

describe('the servers that hosts ask', () => {
  it('get placeholders in plans, and their values in the secrets alone', async () => {
    const cluster = clusterWith(
      `{ repo.example.com: { ca: ${dir}/ca.pem, credentials: ${reader} } }`,
      'https://repo.example.com/debian',
    );
    const told: string[] = [];

    await readHostServers(cluster, (value) => told.push(value));

    const fetches = fetchServers(cluster, [mirrored, 'https://github.com/x']);
    const access = repositoryAccess(cluster);
    expect(fetches).toEqual({
      'repo.example.com': { ca: 'PEM\n', curlConfig: expect.stringMatching(/^\{\{secret:[a-z0-9-]+\}\}$/) as string },
    });
    expect(access.get('site')).toMatchObject({ ca: 'PEM\n', login: { username: 'reader' } });
    expect(JSON.stringify([fetches, access.get('site')])).not.toContain('s3cret-word');
    expect([...cluster.secrets.values()]).toEqual(
      expect.arrayContaining(['s3cret-word', 'user = "reader:s3cret-word"']),
    );
    expect(told).toEqual(expect.arrayContaining(['s3cret-word', 'user = "reader:s3cret-word"']));
  });

  it.each<[string, string, Supply | undefined]>([
    ['charts alone', '{ charts.example.com: { credentials: { token: { env: NOT_SET } } } }', undefined],
    ['what a bundle brings', '{ repo.example.com: { credentials: { token: { env: NOT_SET } } } }', {} as Supply],
  ])('do not need the secrets of %s', async (_name, servers, supply) => {
    const cluster = clusterWith(servers, undefined, supply);

    await readHostServers(cluster, () => undefined);

    expect(cluster.servers).toEqual({});
    expect(fetchServers(cluster, [mirrored])).toBeUndefined();
  });

  it.each(['two words', 'a$releasever', 'a${b}', 'tab\tbed'])(
    'have no password such as "%s" for packages',
    async (password) => {
      vi.stubEnv('REPO_PASSWORD', password);
      const servers = `{ repo.example.com: { credentials: ${reader} } }`;

      await expect(
        readHostServers(clusterWith(servers, 'https://repo.example.com/d'), () => undefined),
      ).rejects.toMatchObject({
        code: 'REPOSITORY_PASSWORD',
        message: expect.not.stringContaining(password) as string,
      });
      await expect(readHostServers(clusterWith(servers), () => undefined)).resolves.toBeUndefined();
    },
  );

  it.each([
    ['repo.example.com', true],
    ['charts.example.com', false],
  ])('ask for curl: %s %s', (server, expected) => {
    expect(needsCurl(clusterWith(`{ ${server}: { credentials: ${reader} } }`))).toBe(expected);
  });
});

it.each([
  [{ token: 'abc' }, 'oauth2-bearer = "abc"'],
  [{ username: 'a', password: 'b c' }, 'user = "a:b c"'],
  [{ username: 'a', password: '"\\\n\r\t#' }, 'user = "a:\\"\\\\\\n\\r\\t#"'],
])('writes what curl reads: %j', (login, line) => {
  expect(curlConfig(login)).toBe(line);
});
