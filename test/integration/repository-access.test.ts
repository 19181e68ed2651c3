import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { apt } from '../../src/hosts/packages/apt.ts';
import { dnf } from '../../src/hosts/packages/dnf.ts';
import type { PackageManager } from '../../src/hosts/packages/index.ts';
import { zypper } from '../../src/hosts/packages/zypper.ts';
import { renderAptRepository } from '../../src/packages/apt/render.ts';
import { renderRpmRepository } from '../../src/packages/rpm/render.ts';
import type { PackageRepository } from '../../src/spec/schema.ts';
import { repositoriesSteps } from '../../src/steps/repositories-step.ts';
import type { RepositoryAccess } from '../../src/steps/repository-access.ts';
import { serverCertificate } from '../lab/upstream/certificates.ts';
import { debianSet, rockyPackages } from '../support/bundle/packages.ts';
import { FileServer } from '../support/bundle/site.ts';
import { createFakeHost } from '../support/fake-host.ts';
import { dateMs } from '../support/package-repositories.ts';
import { converge } from '../support/steps.ts';

const password = `s3cret"'\\#%$1&word`;
const basic = `Basic ${Buffer.from(`reader:${password}`).toString('base64')}`;
const secrets = new Map([['p', password]]);
const login = { username: 'reader', password: '{{secret:p}}' };

const tools = ['apt-get', 'dnf', 'zypper'].map((name) => [name, existsSync(`/usr/bin/${name}`)] as const);
const has = Object.fromEntries(tools);

let dir: string;
let root: string;
let ca: string;
let tls: { cert: string; key: string };
let server: FileServer;
let seen: (string | undefined)[];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'repository-access-'));
  // apt reads with a user of its own.
  await chmod(dir, 0o755);
  const files = await serverCertificate(join(dir, 'tls'), ['127.0.0.1']);
  ca = await readFile(files.ca, 'utf8');
  tls = { cert: await readFile(files.certificate, 'utf8'), key: await readFile(files.key, 'utf8') };
});

afterAll(() => rm(dir, { recursive: true, force: true }));

beforeEach(() => {
  seen = [];
});

afterEach(async () => {
  await server.close();
  await rm(root, { recursive: true, force: true });
});

/** A server that lets in who brings the login. */
async function serve(
  secure: boolean,
  files: readonly { readonly path: string; readonly content: Buffer }[],
): Promise<string> {
  server = await new FileServer().start(secure ? tls : undefined);
  for (const { path, content } of files) server.contents.set(`/r/${path}`, content);
  server.fault = (_path, response, { headers }) => {
    seen.push(headers.authorization);
    if (headers.authorization === basic) return false;
    response.writeHead(401, { 'www-authenticate': 'Basic realm="repo"' }).end();
    return true;
  };
  return `${secure ? 'https' : 'http'}://127.0.0.1:${server.port}/r`;
}

/** What prepare writes for a repository, in a folder of the test. */
async function write(
  manager: PackageManager,
  url: string,
  access: RepositoryAccess,
  more: Partial<PackageRepository> = {},
): Promise<void> {
  root = await mkdtemp(join(dir, 'root-'));
  await chmod(root, 0o755);
  const host = createFakeHost('n1', { files: {} });
  const repositories = [{ name: 'site', url, suites: [], components: [], signedIndex: false, ...more }];
  const input = { id: 'r', manager, repositories, exclusive: false, keys: new Map(), secrets };
  for (const step of repositoriesSteps({ ...input, access: new Map([['site', access]]) })) {
    await converge(host, step, secrets);
  }
  for (const [path, { mode }] of host.files) {
    if (!path.startsWith('/etc/')) continue;
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), (host.text(path) ?? '').replaceAll('/etc/installer', `${root}/etc/installer`));
    await chmod(join(root, path), Number.parseInt(mode, 8));
  }
}

interface Outcome {
  readonly exitCode: number | undefined;
  readonly all: string;
}

async function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const { exitCode, all } = await execa(program, args, { all: true, reject: false, env: { LC_ALL: 'C', ...env } });
  return { exitCode, all };
}

const managers: readonly {
  readonly manager: PackageManager;
  readonly secure: boolean;
  readonly more?: Partial<PackageRepository>;
  readonly files: () => Promise<readonly { readonly path: string; readonly content: Buffer }[]>;
  readonly update: () => Promise<Outcome>;
}[] = [
  ...[true, false].map((secure) => ({
    manager: apt,
    secure,
    more: { suites: ['bookworm'], components: ['main'] },
    files: () => renderAptRepository({ sets: [debianSet('amd64')], suite: 'bookworm', label: 'x', dateMs }),
    async update(): Promise<Outcome> {
      for (const folder of ['var/lib/apt/lists/partial', 'var/cache/apt', 'var/lib/dpkg', 'etc/apt/preferences.d'])
        await mkdir(join(root, folder), { recursive: true });
      await writeFile(join(root, 'var/lib/dpkg/status'), '');
      await writeFile(
        join(root, 'apt.conf'),
        `Dir "${root}";\nAPT::Update::Error-Mode "any";\nDebug::NoLocking "1";\n`,
      );
      return run('apt-get', ['-q', 'update'], { APT_CONFIG: join(root, 'apt.conf') });
    },
  })),
  ...[true, false].map((secure) => ({
    manager: dnf,
    secure,
    files: () => renderRpmRepository({ packages: rockyPackages(), dateMs }),
    async update(): Promise<Outcome> {
      await mkdir(join(root, 'logdir'));
      await writeFile(join(root, 'dnf.conf'), '[main]\nskip_if_unavailable=False\nretries=1\n');
      const folders = ['cachedir', 'logdir', 'persistdir'].map((name) => `--setopt=${name}=${root}/${name}`);
      const own = [`--config=${root}/dnf.conf`, `--setopt=reposdir=${root}/etc/yum.repos.d`, ...folders];
      return run('dnf', [...own, `--installroot=${root}`, '--releasever=9', '-y', 'makecache']);
    },
  })),
  {
    manager: zypper,
    secure: false,
    files: () => renderRpmRepository({ packages: rockyPackages(), dateMs }),
    update: () =>
      run('zypper', [`--root=${root}`, '--non-interactive', '--no-gpg-checks', 'refresh', '--force', 'installer-site']),
  },
];

describe.each(managers)('a real $manager.name, over TLS: $secure', ({ manager, secure, more, files, update }) => {
  const access = (): RepositoryAccess => ({ login, ...(secure ? { ca } : {}) });

  it.skipIf(has[manager.name] !== true)('is let in with what prepare writes', async () => {
    await write(manager, await serve(secure, await files()), access(), more);

    const { exitCode, all } = await update();

    expect(all).not.toContain(password);
    expect([exitCode, [...new Set(seen)].filter((header) => header !== undefined)], all).toEqual([0, [basic]]);
  });

  it.skipIf(has[manager.name] !== true)('is not let in without it', async () => {
    await write(manager, await serve(secure, await files()), secure ? { login } : {}, more);

    const { exitCode, all } = await update();

    expect(exitCode).not.toBe(0);
    expect(all).toContain(`127.0.0.1:${server.port}`);
    // Where the authority is not known, nobody gets as far as a request.
    expect([...new Set(seen)], all).toEqual(secure ? [] : [undefined]);
  });
});
