import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openBundle } from '../../src/bundle/bundle.ts';
import { verifyBundle } from '../../src/bundle/verify.ts';
import { InstallerError, InstallerErrors } from '../../src/errors.ts';
import { createWebFiles } from '../../src/oci/web-files.ts';
import type { ClusterConfig, ServerConfig } from '../../src/spec/schema.ts';
import { serverCertificate } from '../lab/upstream/certificates.ts';
import { packChart } from '../support/bundle/charts.ts';
import { debianSet, openVendor } from '../support/bundle/packages.ts';
import { FileServer, openSite, type Site } from '../support/bundle/site.ts';

const password = 'pass word: s3cret';
const basic = `Basic ${Buffer.from(`reader:${password}`).toString('base64')}`;
const credentials = { username: 'reader', password: { env: 'REPO_PASSWORD' } };
const env = { REPO_PASSWORD: password, REPO_TOKEN: 'a-token', WRONG: 'nonsense' };

let dir: string;
let site: Site;
let ca: string;
let tls: { cert: string; key: string };
/** The company's own server: HTTPS with an authority of its own, and a login. */
let repo: FileServer;
/** The headers that it saw. */
let seen: Set<string | undefined>;
let asked: (string | undefined)[];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bundle-servers-'));
  site = await openSite(dir);
  const files = await serverCertificate(join(dir, 'tls'), ['127.0.0.1']);
  ca = files.ca;
  tls = { cert: await readFile(files.certificate, 'utf8'), key: await readFile(files.key, 'utf8') };
});

afterAll(async () => {
  await site.close();
  await rm(dir, { recursive: true, force: true });
});

beforeEach(async () => {
  seen = new Set();
  asked = [];
  repo = await new FileServer().start(tls);
  for (const [path, bytes] of site.files.contents) repo.contents.set(path, bytes);
  wants(basic);
});

afterEach(async () => {
  await repo.close();
  site.files.fault = undefined;
  await rm(join(dir, 'site.tar'), { force: true });
});

function wants(header: string, status = 401): void {
  repo.fault = (_path, response, { headers }) => {
    seen.add(headers.authorization);
    asked.push(headers.authorization);
    if (headers.authorization === header) return false;
    response.writeHead(status, { 'www-authenticate': 'Basic realm="repo"' }).end('<html>no</html>');
    return true;
  };
}

/** Everything but images comes from the company's server. */
function configWith(server: ServerConfig | undefined, spec: Partial<ClusterConfig['spec']> = {}): ClusterConfig {
  const sites = ['dl.k8s.io', 'github.com', 'charts.example.com', 'packages.example'];
  const mirrors = Object.fromEntries(sites.map((host) => [host, `https://127.0.0.1:${repo.port}/${host}`]));
  const servers = server === undefined ? {} : { [`127.0.0.1:${repo.port}`]: server };
  const artifacts = { ...site.config.spec.artifacts, mirrors, servers };
  return { ...site.config, spec: { ...site.config.spec, artifacts, ...spec } };
}

/** Every file fails alike; the first of them is as good as any. */
async function failureOf(config: ClusterConfig): Promise<InstallerError> {
  const error: unknown = await site
    .create({ path: join(dir, 'site.tar'), config, env })
    .catch((reason: unknown) => reason);
  const [first = error] = error instanceof InstallerErrors ? error.errors : [];
  if (first instanceof InstallerError) return first;
  throw new Error('it did not fail as it should', { cause: error });
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

it('a bundle takes binaries, charts, files and packages from a server with its own authority and login', async () => {
  const chart = packChart('web', { 'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.2.3\n' });
  const entry = { version: '1.2.3', digest: sha256(chart), urls: ['web.tgz'] };
  repo.contents.set('/charts.example.com/index.yaml', Buffer.from(JSON.stringify({ entries: { web: [entry] } })));
  repo.contents.set('/charts.example.com/web.tgz', chart);
  repo.contents.set('/charts.example.com/tool', Buffer.from('tool'));
  const vendor = await openVendor(dir, { ...site, files: repo });
  await vendor.publishApt('packages.example/debian', 'bookworm', [debianSet('amd64')]);
  const from = { url: 'http://packages.example/debian', suites: ['bookworm'], components: ['main'] };
  const repositories = [{ ...from, keyFile: vendor.keyFile, allowUnsigned: false }];
  const config = configWith(
    { ca, credentials },
    {
      osPackages: { distributions: [{ id: 'debian', version: '12', groups: [], packages: ['jq'], repositories }] },
      bundle: {
        images: [],
        digests: {},
        charts: [{ name: 'web', version: '1.2.3', repository: 'https://charts.example.com', images: [] }],
        files: [{ url: 'https://charts.example.com/tool', sha256: sha256(Buffer.from('tool')) }],
      },
    },
  );
  const secrets: string[] = [];
  const path = join(dir, 'site.tar');

  await site.create({ path, config, env, addSecret: (value) => secrets.push(value) });

  const bundle = await openBundle(path);
  expect((await verifyBundle(bundle)).isWhole).toBe(true);
  const kinds = new Set(bundle.manifest.items.map(({ kind }) => kind));
  await bundle.close();
  expect([...kinds]).toEqual(expect.arrayContaining(['binary', 'chart', 'file', 'package']));
  expect([...seen]).toEqual([basic]);
  expect(site.files.asked).toEqual([]);
  // Whatever is shown is cleared of these; the file itself must not have them at all.
  expect(secrets).toEqual([password, basic.slice('Basic '.length)]);
  const text = (await readFile(path)).toString('latin1');
  expect(secrets.filter((secret) => text.includes(secret))).toEqual([]);
  expect(text).not.toContain('reader');
});

it('a token is sent as such', async () => {
  wants('Bearer a-token');

  await site.create({
    path: join(dir, 'site.tar'),
    config: configWith({ ca, credentials: { token: { env: 'REPO_TOKEN' } } }),
    env,
  });

  expect([...seen]).toEqual(['Bearer a-token']);
});

describe('says which host wanted what', () => {
  const at = (): string => `127.0.0.1:${repo.port}`;

  it.each<[string, number, (ca: string) => ServerConfig | undefined, string, string, string]>([
    [
      'an authority that nobody knows',
      401,
      () => undefined,
      'WEB_FILE_TLS',
      'the certificate of HOST is not trusted',
      'give the certificate of the authority that signed for HOST, as ca of it in spec.artifacts.servers',
    ],
    [
      'no login',
      401,
      (ca) => ({ ca }),
      'WEB_FILE_UNAUTHORIZED',
      'HOST answered 401',
      'give user and password, or a token, for HOST in spec.artifacts.servers',
    ],
    [
      'a wrong login',
      401,
      (ca) => ({ ca, credentials: { ...credentials, password: { env: 'WRONG' } } }),
      'WEB_FILE_UNAUTHORIZED',
      'HOST answered 401',
      'check the credentials of HOST in spec.artifacts.servers',
    ],
    [
      'an account without rights',
      403,
      (ca) => ({ ca, credentials: { token: { env: 'WRONG' } } }),
      'WEB_FILE_FORBIDDEN',
      'HOST answered 403',
      'give the account that spec.artifacts.servers names for HOST the right to read this',
    ],
    [
      'nobody, forbidden',
      403,
      (ca) => ({ ca }),
      'WEB_FILE_FORBIDDEN',
      'HOST answered 403',
      'give user and password, or a token, for HOST in spec.artifacts.servers, if it wants any; else see why HOST keeps this from everybody',
    ],
    [
      'a proxy that wants a login',
      407,
      (ca) => ({ ca }),
      'WEB_FILE_PROXY',
      'HOST answered 407',
      'put user and password of the proxy into HTTPS_PROXY and HTTP_PROXY',
    ],
    [
      'something else',
      418,
      (ca) => ({ ca }),
      'WEB_FILE_STATUS',
      'HOST answered 418',
      'check the address, and the mirror of that host in spec.artifacts.mirrors',
    ],
  ])('%s', async (_name, status, server, code, said, remedy) => {
    wants(basic, status);
    const named = (text: string): string => text.replaceAll('HOST', at());

    const error = await failureOf(configWith(server(ca)));

    expect(error).toMatchObject({ code, remedy: named(remedy) });
    expect(error.message).toContain(named(said));
    expect(error.message).toContain(`reading https://${at()}/`);
    expect(`${error.message}${error.remedy}`).not.toContain('nonsense');
  });

  it('a wrong login is shown three times at most', async () => {
    wants(basic, 401);

    await failureOf(configWith({ ca, credentials: { ...credentials, password: { env: 'WRONG' } } }));

    expect(asked.filter((header) => header?.startsWith('Basic '))).toHaveLength(3);
  });

  it('a secret that is not there', async () => {
    const config = configWith({ ca, credentials });

    await expect(site.create({ path: join(dir, 'site.tar'), config, env: {} })).rejects.toMatchObject({
      code: 'SECRET_UNREADABLE',
      message: expect.stringContaining(`the password of server ${at()}`) as string,
    });
  });

  it('a chart whose repository leads to an address with a login in it', async () => {
    const entry = {
      version: '1.2.3',
      digest: 'a'.repeat(64),
      urls: ['https://me:hidden-word@elsewhere.example/web.tgz'],
    };
    repo.contents.set('/charts.example.com/index.yaml', Buffer.from(JSON.stringify({ entries: { web: [entry] } })));
    const charts = [{ name: 'web', version: '1.2.3', repository: 'https://charts.example.com', images: [] }];
    const config = configWith({ ca, credentials }, { bundle: { images: [], digests: {}, files: [], charts } });

    const error = await failureOf(config);

    expect(error).toMatchObject({
      code: 'URL_HOLDS_LOGIN',
      message: expect.stringContaining('elsewhere.example') as string,
    });
    expect(error.message).not.toContain('hidden-word');
  });
});

describe('a redirect', () => {
  const patience = { baseDelayMs: 1, maxDelayMs: 5, attempts: 2 };

  async function read(path: string, ...more: readonly string[]): Promise<string | undefined> {
    const login = { username: 'reader', password };
    const servers = Object.fromEntries([`127.0.0.1:${repo.port}`, ...more].map((host) => [host, { login }]));
    const given = { ...servers, [`127.0.0.1:${repo.port}`]: { login, ca: await readFile(ca, 'utf8') } };
    const web = createWebFiles({ servers: given, patience });
    try {
      return await web.readText(`https://127.0.0.1:${repo.port}${path}`);
    } finally {
      web.close();
    }
  }

  function leads(path: string, location: () => string): void {
    const { fault } = repo;
    repo.fault = (asked, response, request) => {
      if (fault?.(asked, response, request) === true) return true;
      if (asked !== path) return false;
      response.writeHead(302, { location: location() }).end();
      return true;
    };
  }

  it('within the server keeps the login', async () => {
    leads('/old', () => '/new');
    repo.contents.set('/new', Buffer.from('here'));

    expect(await read('/old')).toBe('here');
    expect([...seen]).toEqual([basic]);
  });

  it.each<[string, (host: string) => readonly string[]]>([
    ['to another host', () => []],
    ['to another host whose login is known too', (host) => [host]],
  ])('%s shows it no login, nor one that the address brings', async (_name, known) => {
    const headers: unknown[] = [];
    site.files.fault = (_path, _response, request) => {
      headers.push(request.headers.authorization);
      return false;
    };
    site.files.contents.set('/new', Buffer.from('there'));
    leads('/old', () => `http://me:word@127.0.0.1:${site.files.port}/new`);

    expect(await read('/old', ...known(`127.0.0.1:${site.files.port}`))).toBe('there');
    expect(headers).toEqual([undefined]);
  });

  it('to a host that wants a login says that none is shown there', async () => {
    site.files.fault = (_path, response) => {
      response.writeHead(401).end();
      return true;
    };
    leads('/old', () => `http://127.0.0.1:${site.files.port}/new`);

    await expect(read('/old')).rejects.toMatchObject({
      code: 'WEB_FILE_UNAUTHORIZED',
      message: expect.stringContaining(`127.0.0.1:${site.files.port} answered 401`) as string,
      remedy: expect.stringContaining(`to 127.0.0.1:${repo.port} is not shown to another host`) as string,
    });
  });

  it.each([
    ['in a circle', '/old', 'redirects in a circle'],
    ['to no web address', 'file:///etc/passwd', 'redirects to what is no web address'],
    ['to what is no address', 'http://', 'redirects to what is no web address'],
  ])('%s ends', async (_name, location, said) => {
    leads('/old', () => location);

    await expect(read('/old')).rejects.toMatchObject({
      code: 'WEB_FILE_REDIRECT',
      message: expect.stringContaining(said) as string,
    });
  });
});

it('a certificate that a file names and that is not there is a usage error', async () => {
  await expect(
    site.create({ path: join(dir, 'site.tar'), config: configWith({ ca: join(dir, 'none.pem') }) }),
  ).rejects.toMatchObject({
    code: 'FILE_UNREADABLE',
    message: expect.stringContaining(`CA of server 127.0.0.1`) as string,
  });
});
