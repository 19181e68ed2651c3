import { describe, expect, it } from 'vitest';
import { createFakeHost, type CommandAnswer, type FakeHost } from '../../test/support/fake-host.ts';
import { changesOn, converge, planOn } from '../../test/support/steps.ts';
import { initStep } from './init-step.ts';
import { renderIdentity } from './intent.ts';

const unit = 'installer-c1-kubeadm-init';
const intentPath = '/var/lib/installer/intent.json';
const ours = '{"clusterId":"c1","runId":"r0","step":"kubeadm-init"}\n';
const ourJoin = '{"clusterId":"c1","runId":"r0","step":"kubeadm-join"}\n';
const foreign = '{"clusterId":"other","runId":"r0","step":"kubeadm-init"}\n';
const silent: CommandAnswer = {
  exitCode: 1,
  stderr: 'E0101 noise\nThe connection to the server 10.0.0.11:6443 was refused\n',
};
const files = {
  '/etc/kubernetes/admin.conf': 'x',
  '/etc/kubernetes/manifests/kube-apiserver.yaml': 'x',
  '/var/lib/etcd/member/snap/db': 'x',
};
const allProofs = [
  'ConfigMap/kubeadm-config',
  'ConfigMap/kubelet-config',
  'DaemonSet/kube-proxy',
  'Deployment/coredns',
];

const step = initStep({
  nodeName: 'cp1',
  identity: { clusterId: 'c1', clusterName: 'prod' },
  runId: 'r1',
  config: 'kind: InitConfiguration\n',
  timeoutSeconds: 600,
  fixed: [{ field: 'spec.network.podSubnets', path: ['networking', 'podSubnet'], value: '10.244.0.0/16' }],
});

/** The answer of the API server with these objects. */
function objects(names: readonly string[], podSubnet = '10.244.0.0/16'): string {
  const items = names.map((name) => {
    const [kind = '', metadataName = ''] = name.split('/');
    const data = { ClusterConfiguration: `networking:\n  podSubnet: ${podSubnet}\n` };
    return { kind, metadata: { name: metadataName }, ...(metadataName === 'kubeadm-config' ? { data } : {}) };
  });
  return JSON.stringify({ kind: 'List', items });
}

interface Case {
  readonly intent?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly api?: CommandAnswer;
  readonly subState?: string;
}

function hostIn({ intent, files: present = {}, api = 'absent', subState }: Case): FakeHost {
  const host = createFakeHost('cp1', {
    files: { ...present, ...(intent === undefined ? {} : { [intentPath]: intent }) },
    services: subState === undefined ? {} : { [`${unit}.service`]: { activeState: 'active', subState } },
  });
  host.on('kubectl', api);
  host.on('rm -f', ([, , ...paths]) => (paths.forEach((path) => host.files.delete(path)), ''));
  return host;
}

/** Words that stand for the actions: `init`, `reset`, `attach` and so on. */
async function actionsOf(host: FakeHost): Promise<string[]> {
  const planned = await changesOn(host, step);
  return planned.flatMap(({ actions }) =>
    actions.flatMap((action) => {
      if (action.kind === 'long') {
        return action.attachOnly === true ? ['attach'] : action.commands.map((argv) => argv.slice(0, 2).join(' '));
      }
      if (action.kind === 'write-file' || action.kind === 'remove') {
        return [`${action.kind} ${action.path.split('/').at(-1) ?? ''}`];
      }
      return [action.kind];
    }),
  );
}

const start = ['write-file intent.json', 'write-file kubeadm-init.yaml'];
const init = ['kubeadm init', 'rm -f', 'wait', 'remove intent.json'];

describe('initStep', () => {
  it.each<[string, Case, string[]]>([
    ['runs kubeadm init on a bare host, after noting the intent', {}, [...start, ...init]],
    ['runs it too where kubectl is there but no cluster', { api: silent }, [...start, ...init]],
    [
      'takes its own half-made control plane away first',
      { intent: ours, files, api: silent },
      [...start, '/bin/sh -c', ...init],
    ],
    ['does the same where its own act had not made anything yet', { intent: ours }, [...start, '/bin/sh -c', ...init]],
    [
      'does the same where the unit of that act has failed',
      { intent: ours, files, api: silent, subState: 'failed' },
      [...start, '/bin/sh -c', ...init],
    ],
    [
      'waits for its own act that runs still',
      { intent: ours, files, api: silent, subState: 'running' },
      ['attach', 'wait', 'remove intent.json'],
    ],
    [
      'waits for it also where the API server answers by now',
      { intent: ours, files, api: objects(['Node/cp1']), subState: 'start' },
      ['attach', 'wait', 'remove intent.json'],
    ],
    [
      'plans nothing where the API server proves the control plane',
      { files, api: objects(['Node/cp1', ...allProofs]) },
      [],
    ],
    [
      'notes that its own act is done where the proofs are there',
      { intent: ours, files, api: objects(['Node/cp1', ...allProofs]) },
      ['remove intent.json'],
    ],
    [
      'finishes its own act where proofs are missing',
      { intent: ours, files, api: objects(['Node/cp1', ...allProofs.slice(0, 2)]) },
      ['write-file kubeadm-init.yaml', ...init],
    ],
  ])('%s', async (_name, given, expected) => {
    expect(await actionsOf(hostIn(given))).toEqual(expected);
  });

  it.each<[string, Case, string, number]>([
    [
      'proofs are missing, but the act was not ours',
      { files, api: objects(['Node/cp1', 'ConfigMap/kubeadm-config']) },
      'CLUSTER_INCOMPLETE',
      0,
    ],
    [
      'the API server does not know the node yet',
      { intent: ours, files, api: objects(allProofs) },
      'NODE_NOT_REGISTERED',
      60,
    ],
    ['a control plane is there and the API server silent', { files, api: silent }, 'API_NOT_ANSWERING', 60],
    [
      'only the data of etcd is there',
      { files: { '/var/lib/etcd/member/snap/db': '' }, api: silent },
      'API_NOT_ANSWERING',
      60,
    ],
    [
      'only the manifest is there',
      { files: { '/etc/kubernetes/manifests/kube-apiserver.yaml': '' } },
      'API_NOT_ANSWERING',
      60,
    ],
    [
      'kubectl does not answer in time',
      { files, api: { unknown: 'kubectl did not answer in time' } },
      'API_NOT_ANSWERING',
      60,
    ],
    ['an act of another cluster was begun', { intent: foreign, files, api: silent }, 'FOREIGN_INTENT', 0],
    ['an act of another cluster was begun on a bare host', { intent: foreign }, 'FOREIGN_INTENT', 0],
    ['another act was begun', { intent: ourJoin }, 'FOREIGN_INTENT', 0],
    ['the intent is no JSON', { intent: '{"clusterId":' }, 'INTENT_UNREADABLE', 0],
    ['the intent lacks a field', { intent: '{"clusterId":"c1"}' }, 'INTENT_UNREADABLE', 0],
    ['the intent is null', { intent: 'null' }, 'INTENT_UNREADABLE', 0],
    [
      'the cluster was made with other settings',
      { files, api: objects(['Node/cp1', ...allProofs], '10.0.0.0/8') },
      'SETTING_FIXED',
      0,
    ],
  ])('is blocked where %s', async (_name, given, code, waitSeconds) => {
    expect(await planOn(hostIn(given), step)).toMatchObject({ kind: 'blocked', code, waitSeconds });
  });

  it.each(['/etc/kubernetes/admin.conf', '/etc/kubernetes/manifests/kube-apiserver.yaml', '/var/lib/etcd/member'])(
    'is blocked, and never runs kubeadm init, where it is not known whether %s is there',
    async (path) => {
      const host = hostIn({});
      host.unreadable.set(path, 'EIO');

      expect(await planOn(host, step)).toMatchObject({ kind: 'blocked', code: 'API_NOT_ANSWERING' });
    },
  );

  it.each([
    ['the state of the unit', `${unit}.service`, 'UNIT_UNKNOWN'],
    ['the intent', intentPath, 'INTENT_UNREADABLE'],
  ])('is blocked where %s cannot be read', async (_name, key, code) => {
    const host = hostIn({ files, api: silent });
    host.unreadable.set(key, 'EIO');

    expect(await planOn(host, step)).toMatchObject({ kind: 'blocked', code });
  });

  it('quotes the last line of kubectl, and the files that are there', async () => {
    expect(await planOn(hostIn({ files, api: silent }), step)).toMatchObject({
      reason:
        'a control plane is here (/etc/kubernetes/admin.conf, /etc/kubernetes/manifests/kube-apiserver.yaml, /var/lib/etcd/member), ' +
        'but its API server does not answer: The connection to the server 10.0.0.11:6443 was refused',
    });
  });

  it('says which setting is fixed', async () => {
    const host = hostIn({ files, api: objects(['Node/cp1', ...allProofs], '10.0.0.0/8') });

    expect(await planOn(host, step)).toMatchObject({
      reason: expect.stringContaining('spec.network.podSubnets is 10.0.0.0/8, the file says 10.244.0.0/16') as string,
    });
  });

  it('makes the control plane, and clears the intent at the end', async () => {
    const host = hostIn({});
    host.on('kubectl', ([, , , ...args]) =>
      host.files.has('/etc/kubernetes/admin.conf')
        ? args.includes('--raw=/readyz')
          ? 'ok'
          : objects(['Node/cp1', ...allProofs])
        : silent,
    );
    host.on('kubeadm init', () => {
      expect(host.text(intentPath)).toBe('{"clusterId":"c1","runId":"r1","step":"kubeadm-init"}\n');
      expect(host.files.get('/etc/kubernetes/kubeadm-init.yaml')).toMatchObject({
        content: 'kind: InitConfiguration\n',
        mode: '600',
      });
      host.write('/etc/kubernetes/admin.conf', 'x');
      return '';
    });

    expect(await converge(host, step)).toEqual(['run kubeadm init']);
    expect(host.files.has(intentPath)).toBe(false);
  });

  it('leaves no intent where the run was cut off after kubeadm init came to its end', async () => {
    const host = hostIn({});
    host.on('kubectl', silent);
    host.on('kubeadm init', () => (Object.keys(files).forEach((path) => host.write(path, 'x')), ''));

    await converge(host, step).catch(() => undefined);

    expect(host.done.at(-1)).toMatch(/^kubeadm init /);
    expect(await planOn(host, step)).toMatchObject({ kind: 'blocked', code: 'API_NOT_ANSWERING' });
  });

  it('finishes kubeadm init without the phases that made the control plane', async () => {
    const host = hostIn({ intent: ours, files, api: objects(['Node/cp1']) });

    const [change] = await changesOn(host, step);
    const long = change?.actions.find(({ kind }) => kind === 'long');

    expect(change?.summary).toBe(`finish kubeadm init: ${allProofs.join(', ')} are missing`);
    expect(long?.kind === 'long' ? long.commands[0] : []).toContain(
      '--skip-phases=preflight,certs,kubeconfig,kubelet-start,etcd,control-plane,wait-control-plane',
    );
  });
});

describe('renderIdentity', () => {
  it('is one line of JSON', () => {
    expect(renderIdentity({ clusterId: 'c1', clusterName: 'prod' })).toBe('{"clusterId":"c1","clusterName":"prod"}\n');
  });
});
