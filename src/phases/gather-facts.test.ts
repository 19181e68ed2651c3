import { expect, it } from 'vitest';
import { goodFacts, testConfig } from '../../test/support/cluster.ts';
import { createTestContext } from '../../test/support/run-context.ts';
import type { Host } from '../hosts/host.ts';
import { createCluster } from '../kubernetes/cluster.ts';
import type { Supply } from '../kubernetes/supply.ts';
import { gatherFacts } from './gather-facts.ts';

const hosts = `    - { name: cp1, address: 10.0.0.11, roles: [control-plane] }
    - { name: w1, address: 10.0.0.21, roles: [worker] }
`;

function supplyFor(platforms: readonly string[]): Supply {
  return {
    description: 'site.tar',
    service: { port: 1, accept: () => undefined },
    platforms,
    ports: new Map(),
    notes: [],
    imageDigest: () => undefined,
    file: () => undefined,
    packages: () => undefined,
  };
}

it.each<[readonly string[], readonly string[], readonly string[]]>([
  [['linux/amd64', 'linux/arm64'], ['cp1', 'w1'], []],
  [['linux/amd64'], ['cp1'], ['BUNDLE_PLATFORM w1']],
  [['linux/arm64'], ['w1'], ['BUNDLE_PLATFORM cp1']],
  [[], [], ['BUNDLE_PLATFORM cp1', 'BUNDLE_PLATFORM w1']],
])('from a bundle for %j the hosts %j can be made, of one of each kind', async (platforms, members, refused) => {
  const options = { verifyContent: false, ignoreChecks: [] };
  const cluster = createCluster(testConfig('', hosts), options, new Map(), supplyFor(platforms));
  for (const [index, { name }] of cluster.config.spec.hosts.entries()) {
    cluster.hosts.set(name, { name } as Host);
    cluster.facts.set(name, goodFacts(index, name === 'w1' ? { architecture: 'arm64' } : {}));
  }

  await gatherFacts.run(cluster, createTestContext(), { changed: 0 });

  expect(cluster.members.map(({ config }) => config.name)).toEqual(members);
  expect(cluster.unreachable.map(({ code, host = '' }) => `${code} ${host}`)).toEqual(refused);
});
