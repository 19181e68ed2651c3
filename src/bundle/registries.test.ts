import { expect, it } from 'vitest';
import { parseClusterConfig } from '../spec/load.ts';
import { registryAccess } from './registries.ts';

it.each([
  ['http://10.0.0.5:5000', { host: '10.0.0.5:5000', path: '', plainHttp: true }],
  ['https://mirror.example/', { host: 'mirror.example', path: '', plainHttp: false }],
  // What containerd asks at /artifacts/docker/v2/, and at /v2/.
  ['https://mirror.example/artifacts/docker/', { host: 'mirror.example', path: '/artifacts/docker', plainHttp: false }],
  ['https://mirror.example/artifacts/v2', { host: 'mirror.example', path: '/artifacts', plainHttp: false }],
  ['https://mirror.example/v2/', { host: 'mirror.example', path: '', plainHttp: false }],
])('the mirror %s is asked where containerd asks it', async (address, expected) => {
  const text = `
apiVersion: installer.io/v1alpha1
kind: ClusterConfig
metadata: { name: site }
spec:
  hosts: [{ name: node1, address: 192.0.2.1, roles: [control-plane, worker] }]
  runtime: { registries: { docker.io: { mirrors: ['${address}'] } } }
`;
  const { hosts } = await registryAccess(parseClusterConfig(text, 'site.yaml', '/'), {}, () => undefined);

  expect(hosts?.['docker.io']?.mirrors).toMatchObject([expected]);
});
