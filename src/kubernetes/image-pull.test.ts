import { describe, expect, it } from 'vitest';
import { createFakeHost, toService, type FakeHost } from '../../test/support/fake-host.ts';
import { changesOn, converge } from '../../test/support/steps.ts';
import { imagePullOf } from './image-pull.ts';
import { imagesStep, type ImagesStepInput } from './images-step.ts';
import { fetchSource, type Supply } from './supply.ts';

const pause = 'registry.k8s.io/pause:3.10';
const proxy = 'registry.k8s.io/kube-proxy:v1.36.1';
const hostsFile = '/run/installer/bundle/registries/_default/hosts.toml';

function supplyAt(port: number): Supply {
  return {
    description: 'site.tar (not signed)',
    service: { port: 1, accept: () => undefined },
    platforms: ['linux/amd64'],
    ports: new Map([['n1', port]]),
    imageDigest: (image) => `sha256:${image === pause ? 'aa' : 'bb'}`,
    notes: [],
    packages: () => undefined,
    file: (url) => (url.startsWith('https://dl.k8s.io/') ? { path: '/files/x', sha256: 'cc' } : undefined),
  };
}

describe('images out of a bundle', () => {
  /** The script pulls where the configuration leads to this port; by digest, under the name. */
  function host(port: number): FakeHost {
    const made = createFakeHost('n1');
    const tags: string[] = [];
    made.on('kubeadm config images list', `${pause}\n${proxy}\n`);
    made.on('crictl images', () => JSON.stringify({ images: tags.map((tag) => ({ repoTags: [tag] })) }));
    made.on('systemctl stop', { exitCode: 5 });
    made.on('sh /run/installer/bundle/pull.sh', ([, , pinned = '', name = '']) => {
      expect(made.text(hostsFile)).toContain(`server = "http://127.0.0.1:${port}"`);
      expect(pinned).toMatch(/^registry\.k8s\.io\/[a-z-]+@sha256:(aa|bb)$/);
      tags.push(name);
      return '';
    });
    return made;
  }

  function step(
    made: FakeHost,
    supply: Supply | undefined,
    wanted: ImagesStepInput['wanted'] = 'worker',
  ): ReturnType<typeof imagesStep> {
    const pull = imagePullOf({ supply }, made);
    return imagesStep({
      version: 'v1.36.1',
      wanted,
      sandboxImage: pause,
      more: [],
      unit: 'now',
      laterUnit: 'later',
      pull,
    });
  }

  it('are pulled from the port of the host, and nothing is planned afterwards, whatever the port is then', async () => {
    const made = host(4001);

    expect(await converge(made, step(made, supplyAt(4001)))).toEqual([`pull 2 images: ${pause}, ${proxy}`]);
    expect(await converge(made, step(made, supplyAt(4002)))).toEqual([]);
    expect(made.text(hostsFile)).toBeUndefined();
  });

  it('leave no way to the bundle where a run before was cut off, and nothing is missing by now', async () => {
    for (const next of [supplyAt(4002), undefined]) {
      const made = host(4001);
      await converge(made, step(made, supplyAt(4001)));
      made.write(hostsFile, 'server = "http://127.0.0.1:4001"');

      expect(await converge(made, step(made, next))).toEqual(['take away what led to the bundle']);
      expect(made.text(hostsFile)).toBeUndefined();
    }
  });

  it('come from registries where the run that pulled them from a bundle was cut off', async () => {
    const made = host(4001);
    made.write(hostsFile, 'server = "http://127.0.0.1:4001"');
    made.services.set('later.service', toService({ activeState: 'active', subState: 'running' }));

    const [change] = await changesOn(made, step(made, undefined));

    expect(change?.actions).toMatchObject([
      { argv: ['systemctl', 'stop', 'now.service', 'later.service'] },
      { kind: 'remove', path: '/run/installer/bundle' },
      { kind: 'long', unit: 'now', commands: [{ 0: 'crictl' }, { 0: 'crictl' }] },
      { kind: 'remove' },
    ]);
  });

  it('come through a new connection on the port that this one has', async () => {
    const made = host(4002);
    const supply = supplyAt(4001);
    const planned = step(made, supply);
    supply.ports.set('n1', 4002);

    expect(await converge(made, planned)).toHaveLength(1);
  });

  it.each([
    ['goes on', 4001, 'running', ['attach', 'long', 'remove']],
    [
      'is stopped and begun anew where it was begun through another connection',
      4002,
      'running',
      ['run', 'write-file', 'write-file', 'long', 'remove'],
    ],
    ['is taken at its word where it is over', 4002, 'exited', ['attach', 'long', 'remove']],
  ])('a pull that was begun before %s', async (_what, port, subState, actions) => {
    const made = host(port);
    made.write(hostsFile, `server = "http://127.0.0.1:4001"\ncapabilities = [ "pull", "resolve" ]\n\n`);
    made.services.set('later.service', toService({ activeState: 'active', subState }));

    const [change] = await changesOn(made, step(made, supplyAt(port)));

    const kinds = change?.actions.map((action) => ('attachOnly' in action ? 'attach' : action.kind));
    expect(kinds).toEqual(actions);
  });
});

it("a file comes from the bundle by its publisher's address, with the digest that the bundle has", () => {
  const supply = supplyAt(4001);
  const made = createFakeHost('n1');
  const artifact = { name: 'kubelet', version: 'v1', arch: 'amd64', url: 'https://dl.k8s.io/kubelet' } as const;
  const source = fetchSource({ supply }, made, artifact);
  supply.ports.set('n1', 4002);

  expect(source?.()).toEqual({ url: 'http://127.0.0.1:4002/files/x', sha256: 'cc' });
  expect(fetchSource({ supply: undefined }, made, artifact)).toBeUndefined();
  expect(fetchSource({ supply }, made, { ...artifact, url: 'https://elsewhere/' })).toThrow('is not in the bundle');
});
