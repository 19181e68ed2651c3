import { describe, expect, it } from 'vitest';
import { createFakeHost, type CommandAnswer, type FakeHost } from '../../test/support/fake-host.ts';
import { changesOn, converge, planOn } from '../../test/support/steps.ts';
import { secretPlaceholder } from '../ops/secrets.ts';
import { joinStep } from './join-step.ts';

const unit = 'installer-c1-kubeadm-join';
const intentPath = '/var/lib/installer/intent.json';
const ours = '{"clusterId":"c1","runId":"r0","step":"kubeadm-join"}\n';
const foreign = '{"clusterId":"other","runId":"r0","step":"kubeadm-join"}\n';
const credentials = { '/etc/kubernetes/kubelet.conf': 'x' };
const known = JSON.stringify({ kind: 'Node', metadata: { name: 'w1' } });
const silent: CommandAnswer = { exitCode: 1, stderr: 'Unable to connect to the server: EOF\n' };

const step = joinStep({
  nodeName: 'w1',
  identity: { clusterId: 'c1', clusterName: 'prod' },
  runId: 'r1',
  config: `token: ${secretPlaceholder('join-token')}\n`,
  discovery: `ca: ${secretPlaceholder('ca')}\n`,
  timeoutSeconds: 300,
});

const secrets = new Map([
  ['join-token', 'abcdef.0123'],
  ['ca', 'PEM'],
]);

interface Case {
  readonly intent?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly api?: CommandAnswer;
  readonly subState?: string;
}

function hostIn({ intent, files = {}, api = 'absent', subState }: Case): FakeHost {
  const host = createFakeHost('w1', {
    files: { ...files, ...(intent === undefined ? {} : { [intentPath]: intent }) },
    services: subState === undefined ? {} : { [`${unit}.service`]: { activeState: 'active', subState } },
  });
  host.on('kubectl', api);
  host.on('rm -f', ([, , ...paths]) => (paths.forEach((path) => host.files.delete(path)), ''));
  return host;
}

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
      if (action.kind === 'service') return [`${action.do} ${action.unit}`];
      return [action.kind];
    }),
  );
}

const end = ['wait', 'remove kubeadm-join.yaml', 'remove kubeadm-discovery.yaml', 'remove intent.json'];
const start = ['write-file intent.json', 'write-file kubeadm-discovery.yaml', 'write-file kubeadm-join.yaml'];
const join = ['kubeadm join', 'rm -f', ...end];

describe('joinStep', () => {
  it.each<[string, Case, string[]]>([
    ['runs kubeadm join on a bare host, after noting the intent', {}, [...start, ...join]],
    [
      'takes its own half-done join away first',
      { intent: ours, files: credentials, api: silent },
      [...start, '/bin/sh -c', ...join],
    ],
    ['does the same where kubelet has no credentials yet', { intent: ours }, [...start, '/bin/sh -c', ...join]],
    [
      'waits for its own act that runs still',
      { intent: ours, files: credentials, api: known, subState: 'running' },
      ['attach', ...end],
    ],
    ['plans nothing where the API server knows the node', { files: credentials, api: known }, []],
    [
      'notes that its own act is done where the node is known',
      { intent: ours, files: credentials, api: known },
      ['remove intent.json', 'remove kubeadm-join.yaml', 'remove kubeadm-discovery.yaml'],
    ],
    [
      'restarts kubelet where the API server says that there is no such node',
      { files: credentials, api: '' },
      ['restart kubelet.service', 'wait'],
    ],
  ])('%s', async (_name, given, expected) => {
    expect(await actionsOf(hostIn(given))).toEqual(expected);
  });

  it.each<[string, Case, string, number]>([
    ['the host is a node and the API server silent', { files: credentials, api: silent }, 'NODE_STATE_UNKNOWN', 60],
    ['kubectl is missing on a node', { files: credentials, api: 'absent' }, 'NODE_STATE_UNKNOWN', 60],
    ['an act of another cluster was begun', { intent: foreign }, 'FOREIGN_INTENT', 0],
    [
      'an act of another cluster was begun on a known node',
      { intent: foreign, files: credentials, api: known },
      'FOREIGN_INTENT',
      0,
    ],
    ['the intent is no JSON', { intent: 'x', files: credentials, api: known }, 'INTENT_UNREADABLE', 0],
  ])('is blocked where %s', async (_name, given, code, waitSeconds) => {
    expect(await planOn(hostIn(given), step)).toMatchObject({ kind: 'blocked', code, waitSeconds });
  });

  it.each([
    ['the state of the unit', `${unit}.service`, 'UNIT_UNKNOWN'],
    ['the intent', intentPath, 'INTENT_UNREADABLE'],
    ['whether it has credentials', '/etc/kubernetes/kubelet.conf', 'NODE_STATE_UNKNOWN'],
  ])('is blocked, and never joins, where it is not known: %s', async (_name, key, code) => {
    const host = hostIn({ api: silent });
    host.unreadable.set(key, 'EIO');

    expect(await planOn(host, step)).toMatchObject({ kind: 'blocked', code });
  });

  it('joins with token and CA filled in, and leaves neither token nor intent behind', async () => {
    const host = hostIn({});
    host.on('kubectl', () => (host.files.has('/etc/kubernetes/kubelet.conf') ? known : silent));
    host.on('kubeadm join', () => {
      expect(host.files.get('/run/installer/kubeadm-join.yaml')).toMatchObject({
        content: 'token: abcdef.0123\n',
        mode: '600',
      });
      expect(host.text('/run/installer/kubeadm-discovery.yaml')).toBe('ca: PEM\n');
      expect(host.text(intentPath)).toBe('{"clusterId":"c1","runId":"r1","step":"kubeadm-join"}\n');
      host.write('/etc/kubernetes/kubelet.conf', 'x');
      return '';
    });

    expect(await converge(host, step, secrets)).toEqual(['run kubeadm join']);
    expect([...host.files.keys()]).toEqual(['/etc/kubernetes/kubelet.conf']);
  });

  it('leaves neither token nor intent where the run was cut off after kubeadm join came to its end', async () => {
    const host = hostIn({});
    host.on('kubectl', silent);
    host.on('kubeadm join', () => (host.write('/etc/kubernetes/kubelet.conf', 'x'), ''));

    await converge(host, step, secrets).catch(() => undefined);

    expect([...host.files.keys()]).toEqual(['/etc/kubernetes/kubelet.conf']);
    expect(await planOn(host, step)).toMatchObject({ kind: 'blocked', code: 'NODE_STATE_UNKNOWN' });
  });

  it('asks the API server with the credentials of the node itself', () => {
    expect(step.observe).toContainEqual(
      expect.objectContaining({
        argv: expect.arrayContaining(['--kubeconfig=/etc/kubernetes/kubelet.conf']) as string[],
      }),
    );
  });
});
