import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { testConfig } from '../../test/support/cluster.ts';
import {
  createFakeHost,
  type CommandAnswer,
  type CommandHandler,
  toService,
  type FakeHost,
} from '../../test/support/fake-host.ts';
import { changesOn, converge, planOn } from '../../test/support/steps.ts';
import { kubeletConfigMapStep, kubeletConfigStep, kubeProxyConfigStep, laidOver } from './component-config-steps.ts';
import { fromRegistries } from './image-pull.ts';
import { beginInitImages, imagesStep, type ImagesStepInput } from './images-step.ts';
import { manifestStep } from './manifest-step.ts';
import { nodeLabelsStep } from './node-labels-step.ts';

const files = { '/etc/kubernetes/admin.conf': 'x' };
const refused: CommandAnswer = { exitCode: 1, stderr: 'connection refused\n' };

function list(...items: readonly unknown[]): string {
  return JSON.stringify({ kind: 'List', items });
}

describe('nodeLabelsStep', () => {
  const { hosts } = testConfig(
    '',
    `    - { name: cp1, address: 10.0.0.11, roles: [control-plane] }
    - { name: w1, address: 10.0.0.21, roles: [worker], labels: { disk: ssd, zone: a }, taints: ["gpu=a100:NoSchedule", "db:NoExecute"] }
`,
  ).spec;
  const step = nodeLabelsStep(hosts);

  interface Node {
    readonly metadata: { readonly name: string; readonly labels: Record<string, string> };
    readonly spec: { readonly taints: readonly { key: string; value?: string; effect: string }[] };
  }

  function node(name: string, labels: Record<string, string>, taints: Node['spec']['taints'] = []): Node {
    return { metadata: { name, labels }, spec: { taints } };
  }

  const control = node('cp1', { other: 'kept' });
  const good = node('w1', { 'node-role.kubernetes.io/worker': '', disk: 'ssd', zone: 'a', other: 'kept' }, [
    { key: 'gpu', value: 'a100', effect: 'NoSchedule' },
    { key: 'db', effect: 'NoExecute' },
    { key: 'other', effect: 'NoSchedule' },
  ]);

  function host(...nodes: readonly Node[]): FakeHost {
    const made = createFakeHost('cp1', { files });
    made.on(/ get nodes /, list(...nodes));
    return made;
  }

  it.each<[string, readonly Node[], string[]]>([
    ['nothing where labels and taints are there, beside those of others', [control, good], []],
    [
      'what is missing, and no more',
      [control, node('w1', { ...good.metadata.labels, disk: 'hdd' }, good.spec.taints.slice(1))],
      ['label node w1: disk=ssd', 'taint node w1: gpu=a100:NoSchedule'],
    ],
    [
      'everything on a node that has nothing',
      [control, node('w1', {})],
      [
        'label node w1: node-role.kubernetes.io/worker=, disk=ssd, zone=a',
        'taint node w1: gpu=a100:NoSchedule, db:NoExecute',
      ],
    ],
    [
      'a taint whose effect is another',
      [
        control,
        node('w1', good.metadata.labels, [
          { key: 'gpu', value: 'a100', effect: 'NoExecute' },
          { key: 'db', effect: 'NoExecute' },
        ]),
      ],
      ['taint node w1: gpu=a100:NoSchedule'],
    ],
  ])('sets %s', async (_name, nodes, summaries) => {
    expect((await changesOn(host(...nodes), step)).map(({ summary }) => summary)).toEqual(summaries);
  });

  it('calls kubectl with the words of the change', async () => {
    const made = host(control, node('w1', good.metadata.labels, good.spec.taints.slice(1)));

    expect((await changesOn(made, step))[0]?.actions).toMatchObject([
      {
        argv: [
          'kubectl',
          '--kubeconfig=/etc/kubernetes/admin.conf',
          '--request-timeout=10s',
          'taint',
          'nodes',
          'w1',
          'gpu=a100:NoSchedule',
          '--overwrite',
        ],
      },
    ]);
  });

  it('comes after the join where there is no cluster, or a node is not there yet', async () => {
    const bare = createFakeHost('cp1');
    bare.on('kubectl', 'absent');

    expect(await planOn(bare, step)).toMatchObject({ kind: 'deferred', needs: 'join-workers' });
    expect(await planOn(host(control), step)).toMatchObject({ kind: 'deferred', needs: 'join-workers' });
  });

  it('waits for an API server that does not answer', async () => {
    const made = host();
    made.on('kubectl', refused);

    expect(await planOn(made, step)).toMatchObject({ kind: 'blocked', code: 'API_NOT_ANSWERING', waitSeconds: 60 });
  });
});

describe('manifestStep', () => {
  const step = manifestStep('flannel', 'kind: Namespace\n', 'kube-flannel', 'cp1', 'init-control-plane');
  const namespace = { kind: 'Namespace', metadata: { name: 'kube-flannel' } };

  function host(
    objects: CommandAnswer,
    diff: CommandAnswer | CommandHandler,
    model: { files?: Record<string, string> } = { files },
  ): FakeHost {
    const made = createFakeHost('cp1', model);
    made.on(/ get node\/cp1 /, objects);
    made.on(/ diff /, diff);
    return made;
  }

  it('applies where the namespace is not there, whatever the comparison says', async () => {
    const made = host(list(), refused);

    expect(await changesOn(made, step)).toMatchObject([
      { summary: 'apply the manifest of flannel', after: 'kind: Namespace\n' },
    ]);
  });

  it('applies what differs, shows the difference, and then wants nothing more', async () => {
    let applied = '';
    const made = host(list(namespace), () => (applied === '' ? { exitCode: 1, stdout: '-a\n+b\n' } : ''));
    made.on(/ apply --server-side --field-manager=installer --force-conflicts -f -$/, (_, stdin) => (applied = stdin));

    expect(await changesOn(made, step)).toMatchObject([{ diff: '-a\n+b\n' }]);
    await converge(made, step);

    expect(applied).toBe('kind: Namespace\n');
  });

  it('does nothing where nothing differs', async () => {
    expect(await changesOn(host(list(namespace), ''), step)).toEqual([]);
  });

  it('comes after kubeadm init where there is no cluster yet', async () => {
    expect(await planOn(host('absent', 'absent', {}), step)).toMatchObject({
      kind: 'deferred',
      needs: 'init-control-plane',
    });
  });

  it.each<[string, CommandAnswer, CommandAnswer]>([
    ['answers nothing', refused, { exitCode: 2, stderr: 'refused' }],
    [
      'does not answer in time',
      { unknown: 'kubectl did not answer in time' },
      { unknown: 'kubectl did not answer in time' },
    ],
    ['cannot compare', list(namespace), { exitCode: 2, stderr: 'forbidden' }],
  ])('waits for an API server that %s', async (_name, objects, diff) => {
    expect(await planOn(host(objects, diff), step)).toMatchObject({
      kind: 'blocked',
      code: 'API_NOT_ANSWERING',
      waitSeconds: 90,
    });
  });
});

describe('overrides of components', () => {
  const configFile = '/var/lib/kubelet/config.yaml';

  it.each([
    ['that hold already', 'a: 1\nb: { c: 2 }\n', { b: { c: 2 } }, undefined],
    ['of none', 'a: 1\n', {}, undefined],
    ['that are new', 'a: 1\n', { b: { c: 2 } }, { a: 1, b: { c: 2 } }],
    ['that are others', 'a: 1\nb: { c: 1, d: 3 }\n', { b: { c: 2 } }, { a: 1, b: { c: 2, d: 3 } }],
    ['over nothing', '', { a: 1 }, { a: 1 }],
  ])('laid over a text: %s', (_name, text, overrides, expected) => {
    const after = laidOver(text, overrides);

    expect(after === undefined ? undefined : parse(after)).toEqual(expected);
  });

  it('are brought to the file of a node, whose kubelet is restarted', async () => {
    const host = createFakeHost('w1', {
      files: { [configFile]: { content: 'maxPods: 110\nkind: KubeletConfiguration\n', mode: '600' } },
      services: { 'kubelet.service': { activeState: 'active' } },
    });
    host.on('systemctl is-active kubelet.service', 'active');

    expect(await converge(host, kubeletConfigStep({ maxPods: 200 }, 'join-workers'))).toHaveLength(1);
    expect(parse(host.text(configFile) ?? '')).toEqual({ maxPods: 200, kind: 'KubeletConfiguration' });
    expect(host.files.get(configFile)?.mode).toBe('600');
    expect(host.done).toContain('systemctl restart kubelet.service');
  });

  it('of a node come after its join', async () => {
    expect(await planOn(createFakeHost('w1'), kubeletConfigStep({ maxPods: 200 }, 'join-workers'))).toMatchObject({
      kind: 'deferred',
      needs: 'join-workers',
    });
  });

  it.each([
    ['kubelet-config', 'kubelet', kubeletConfigMapStep('cp1', { maxPods: 200 }, 'init'), false],
    ['kube-proxy', 'config.conf', kubeProxyConfigStep('cp1', { maxPods: 200 }, 'init'), true],
  ])('are brought to ConfigMap %s', async (name, key, step, restarts) => {
    const host = createFakeHost('cp1', { files });
    let data = { [key]: 'maxPods: 110\n', other: 'kept' };
    host.on(/ get node\/cp1 /, () => list({ kind: 'ConfigMap', metadata: { name }, data }));
    host.on(/ patch configmap /, (_, stdin) => {
      data = { ...data, ...(JSON.parse(stdin) as { data: Record<string, string> }).data };
      return '';
    });
    host.on(/ rollout restart daemonset\/kube-proxy$/, '');

    expect(await converge(host, step)).toEqual([`change ConfigMap kube-system/${name}`]);
    expect(data).toEqual({ [key]: 'maxPods: 200\n', other: 'kept' });
    expect(host.done.some((line) => line.includes('rollout restart'))).toBe(restarts);
  });

  it.each<[string, Record<string, string>, CommandAnswer, object]>([
    ['come after kubeadm init', {}, 'absent', { kind: 'deferred', needs: 'init' }],
    ['wait for an API server that is silent', files, refused, { kind: 'blocked', code: 'API_NOT_ANSWERING' }],
  ])('of the cluster %s', async (_name, present, answer, expected) => {
    const host = createFakeHost('cp1', { files: present });
    host.on('kubectl', answer);

    expect(await planOn(host, kubeProxyConfigStep('cp1', { a: 1 }, 'init'))).toMatchObject(expected);
  });
});

describe('imagesStep', () => {
  const kubernetes = [
    'kube-apiserver:v1.36.1',
    'kube-proxy:v1.36.1',
    'coredns/coredns:v1.12.0',
    'pause:3.10',
    'etcd:3.6.4-0',
  ].map((name) => `registry.k8s.io/${name}`);
  const flannel = 'ghcr.io/flannel-io/flannel:v0.27.4';

  function step(
    wanted: ImagesStepInput['wanted'],
    sandboxImage = 'registry.k8s.io/pause:3.10',
  ): ReturnType<typeof imagesStep> {
    return imagesStep({
      version: 'v1.36.1',
      wanted,
      sandboxImage,
      more: [flannel],
      unit: 'pull',
      laterUnit: 'later',
    });
  }

  /** `crictl pull` pulls. */
  function host(...present: readonly string[]): FakeHost {
    const made = createFakeHost('n1');
    const tags = [...present];
    made.on(
      'kubeadm config images list --kubernetes-version=v1.36.1',
      `W0101 a warning: x\n${kubernetes.join('\n')}\n`,
    );
    made.on('crictl images', () =>
      JSON.stringify({ images: tags.map((tag) => ({ repoTags: [tag], repoDigests: null })) }),
    );
    made.on('crictl --timeout=600s pull', ([, , , image = '']) => (tags.push(image), ''));
    made.on('sh -c crictl inspecti', (argv) => (tags.push(argv.at(-1) ?? ''), ''));
    return made;
  }

  it.each<[string, ImagesStepInput['wanted'], string[]]>([
    ['a control plane', 'control-plane', [...kubernetes, flannel]],
    ['a worker', 'worker', [...kubernetes.slice(1, 4), flannel]],
  ])('pulls what %s runs', async (_name, role, wanted) => {
    expect(await converge(host(), step(role))).toEqual([`pull ${wanted.length} images: ${wanted.join(', ')}`]);
  });

  it('pulls the one that is missing, and nothing where none is', async () => {
    expect(await converge(host(...kubernetes), step('control-plane'))).toEqual([`pull 1 image: ${flannel}`]);
    expect(await converge(host(...kubernetes, flannel), step('control-plane'))).toEqual([]);
  });

  it('pulls for kubeadm init what that starts, and begins the others', async () => {
    const made = host();

    const [change] = await changesOn(made, step('init'));

    expect(change).toMatchObject({
      summary: expect.stringMatching(/^pull 3 images: .*apiserver.*pause.*etcd/) as string,
      actions: [
        { unit: 'pull', commands: { length: 3 } },
        { unit: 'later', commands: { length: 3 }, wait: false },
      ],
    });
    expect(await converge(host(...kubernetes.filter((name) => !name.includes('proxy'))), step('init'))).toEqual([]);
  });

  it.each(['running', 'exited'])('waits for the unit that pulls the others and is %s', async (subState) => {
    const made = host(...kubernetes);
    made.services.set('later.service', toService({ activeState: 'active', subState }));

    const [change] = await changesOn(made, step('control-plane'));

    expect(change?.actions).toMatchObject([
      { unit: 'later', attachOnly: true },
      { unit: 'pull', commands: [expect.arrayContaining([flannel])] },
    ]);
  });

  it('begins to pull what kubeadm init starts, and waits for it when it is needed', async () => {
    const made = host();
    const [action] = beginInitImages('pull', kubernetes, fromRegistries);
    made.services.set('pull.service', toService({ activeState: 'active', subState: 'running' }));

    const [change] = await changesOn(made, step('init'));

    expect(action).toMatchObject({ unit: 'pull', commands: { length: 3 }, wait: false });
    expect(change?.actions).toMatchObject([
      { unit: 'pull', attachOnly: true },
      { unit: 'pull', commands: { length: 3 } },
      { unit: 'later', commands: { length: 3 }, wait: false },
    ]);
  });

  it.each([
    ['kubeadm config', 'install-kubernetes'],
    ['crictl images', 'install-runtime'],
  ])('comes later where %s does not answer', async (command, needs) => {
    const made = host();
    made.on(command, 'absent');

    expect(await planOn(made, step('control-plane'))).toMatchObject({ kind: 'deferred', needs });
  });

  it('refuses a sandbox image that is not the one of this kubeadm', async () => {
    expect(await planOn(host(), step('control-plane', 'registry.k8s.io/pause:3.9'))).toMatchObject({
      kind: 'blocked',
      code: 'SANDBOX_IMAGE_DIFFERS',
    });
  });
});
