import { describe, expect, it } from 'vitest';
import { createFakeHost } from '../../test/support/fake-host.ts';
import { changesOn, converge, planOn } from '../../test/support/steps.ts';
import { apt } from '../hosts/packages/apt.ts';
import { dnf, yum } from '../hosts/packages/dnf.ts';
import { zypper } from '../hosts/packages/zypper.ts';
import { describeAction } from '../ops/action.ts';
import { repositoriesSteps, type RepositoriesInput } from './repositories-step.ts';

const login = { username: 'reader', password: '{{secret:p}}' };
const secrets = new Map([['p', 's3cret-word']]);
const plain = { suites: [], components: [], signedIndex: false };
const repositories = [
  { ...plain, name: 'a', url: 'https://repo.example.com:8443/a' },
  { ...plain, name: 'b', url: 'https://repo.example.com:8443/b' },
  { ...plain, name: 'c', url: 'http://10.0.0.5/c' },
  { ...plain, name: 'open', url: 'http://10.0.0.6/d' },
];
const access = new Map([
  ['a', { ca: 'PEM\n', login }],
  ['b', { ca: 'PEM\n', login }],
  ['c', { login }],
]);

function inputFor(manager: RepositoriesInput['manager'], more: Partial<RepositoriesInput> = {}): RepositoriesInput {
  return { id: 'r', manager, repositories, exclusive: false, keys: new Map(), access, secrets, ...more };
}

/** The files that come of it, with their modes. */
async function filesOf(input: RepositoriesInput): Promise<Record<string, string>> {
  const host = createFakeHost('n1', { files: {} });
  for (const step of repositoriesSteps(input)) await converge(host, step, secrets);
  const written = [...host.files].filter(([path]) => path.startsWith('/etc/'));
  const ids = written.map(([path]) => `file:${path.slice(1).replaceAll('/', ':')}`);
  expect(host.record.ids().toSorted()).toEqual(ids.toSorted());
  return Object.fromEntries(
    written.map(([path, { mode }]) => [`${path} ${mode}`, host.text(path)?.replace(/^.*Written by.*\n/, '') ?? '']),
  );
}

describe('a repository that not everybody may read', () => {
  it('apt gets logins that root alone reads, and an authority for each host', async () => {
    expect(await filesOf(inputFor(apt))).toEqual({
      '/etc/installer/keys/ca-of-repo.example.com.pem 644': 'PEM\n',
      '/etc/apt/apt.conf.d/90-installer-repositories 644':
        'Acquire::https::repo.example.com::CAInfo "/etc/installer/keys/ca-of-repo.example.com.pem";\n',
      '/etc/apt/auth.conf.d/installer-repositories.conf 600':
        'machine repo.example.com:8443/ login reader password s3cret-word\nmachine http://10.0.0.5/ login reader password s3cret-word\n',
      '/etc/apt/sources.list.d/installer.sources 644': expect.stringContaining('URIs: http://10.0.0.5/c\n') as string,
    });
  });

  it.each([dnf, yum])('$name gets them in the list of repositories, which root alone reads then', async (manager) => {
    const files = await filesOf(inputFor(manager));

    expect(Object.keys(files)).toEqual([
      '/etc/installer/keys/ca-of-repo.example.com.pem 644',
      '/etc/yum.repos.d/installer.repo 600',
    ]);
    const sections = files['/etc/yum.repos.d/installer.repo 600']?.split('\n\n');
    expect(sections?.map((section) => section.split('\n').slice(5).join(' ').trim())).toEqual([
      'sslcacert=/etc/installer/keys/ca-of-repo.example.com.pem username=reader password=s3cret-word',
      'sslcacert=/etc/installer/keys/ca-of-repo.example.com.pem username=reader password=s3cret-word',
      'username=reader password=s3cret-word',
      '',
    ]);
  });

  it('zypper gets each login in a file of its own', async () => {
    const files = await filesOf(inputFor(zypper, { access: new Map([['c', { login }]]) }));

    expect(files['/etc/zypp/credentials.d/installer-c 600']).toBe('username=reader\npassword=s3cret-word\n');
    expect(files['/etc/zypp/repos.d/installer.repo 644']).toContain(
      'baseurl=http://10.0.0.5/c?credentials=installer-c\n',
    );
    expect(files['/etc/zypp/repos.d/installer.repo 644']).toContain('baseurl=http://10.0.0.6/d\n');
  });

  it('zypper has no way to trust an authority for one host: the run says so, and what to do', async () => {
    const [first] = repositoriesSteps(inputFor(zypper));

    expect(first && (await planOn(createFakeHost('n1', { files: {} }), first))).toMatchObject({
      kind: 'blocked',
      code: 'ZYPPER_CA',
      reason: expect.stringContaining('repo.example.com:8443') as string,
    });
  });

  it.each([apt, dnf, zypper])('no plan for $name shows a password', async (manager) => {
    const host = createFakeHost('n1', { files: {} });
    const given = new Map([['c', { login }]]);
    for (const step of repositoriesSteps(inputFor(manager, { access: given }))) {
      const planned = await changesOn(host, step);
      expect(JSON.stringify(planned)).not.toContain('s3cret-word');
      expect(planned.flatMap(({ actions }) => actions.map(describeAction)).join()).not.toContain('s3cret-word');
    }
  });
});
