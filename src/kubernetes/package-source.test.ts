import { expect, it } from 'vitest';
import { goodFacts, testConfig } from '../../test/support/cluster.ts';
import { createFakeHost } from '../../test/support/fake-host.ts';
import type { Member } from './cluster.ts';
import { packageSourceOf } from './package-source.ts';
import type { Supply } from './supply.ts';

const [config] = testConfig().spec.hosts;
if (config === undefined) throw new Error('the cluster file has no host');
const facts = goodFacts(1, {
  os: { id: 'debian', idLike: [], versionId: '12', prettyName: 'Debian 12' },
  tools: new Set(['apt-get']),
});
const memberNow = (): Member => ({ config, host: createFakeHost('cp1'), facts, nodeAddress: '10.0.0.11' });
const supply: Supply = {
  description: 'site.tar',
  service: { port: 1, accept: () => undefined },
  platforms: ['linux/amd64'],
  ports: new Map([['cp1', 4001]]),
  notes: [],
  imageDigest: () => undefined,
  file: () => undefined,
  packages: (name) =>
    name === 'debian-12-amd64'
      ? { path: `packages/${name}`, key: 'KEY', suites: ['bundle'], components: ['main'], signedIndex: false }
      : undefined,
};

it('packages come from the repository of the bundle for the distribution, at the port that the host has now', () => {
  const source = packageSourceOf(memberNow(), { supply });
  supply.ports.set('cp1', 4002);

  const files = source?.prepare().filter((action) => action.kind === 'write-file') ?? [];
  expect(files.map(({ path }) => path)).toEqual([
    '/run/installer/bundle/packages/key.asc',
    '/run/installer/bundle/packages/bundle.sources',
  ]);
  expect(files[1]?.content).toContain('URIs: http://127.0.0.1:4002/packages/debian-12-amd64\nSuites: bundle\n');
  expect(files[1]?.content).toContain('Signed-By: /run/installer/bundle/packages/key.asc\n');
  expect(source?.manager.refresh).toContain('Dir::Etc::SourceParts=-');
  expect(source?.finish).toEqual([{ kind: 'remove', path: '/run/installer/bundle/packages' }]);
});

it.each([
  ['without a bundle', { supply: undefined }, '12'],
  ['where the bundle has nothing for the distribution', { supply }, '13'],
])('packages come from the repositories of the host %s', (_what, run, versionId) => {
  const other = { ...memberNow(), facts: { ...facts, os: { ...facts.os, versionId } } };
  const source = packageSourceOf(other, run);

  expect([source?.prepare(), source?.finish]).toEqual([[], []]);
  expect(source?.manager.refresh).not.toContain('Dir::Etc::SourceParts=-');
});
