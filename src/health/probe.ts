import { stringify } from 'yaml';
import { lockHolderName, tellLockWait } from '../engine/lock-wait.ts';
import type { RunContext } from '../engine/phase.ts';
import { pollUntil } from '../engine/poll.ts';
import { InstallerError } from '../errors.ts';
import type { Host } from '../hosts/host.ts';
import type { Member } from '../kubernetes/cluster.ts';
import { kubectlArgv, kubectlJson, kubectlQuery } from '../kubernetes/kubectl.ts';
import { isReady, parseItems, podSchema } from '../kubernetes/objects.ts';
import type { Action } from '../ops/action.ts';
import { commandQuery } from '../ops/query.ts';
import { agnhostPort, dialQuery, dialsAtOnce, judgeDials, type Dial } from './dial.ts';

/**
 * kube-proxy, flannel and the controllers watch the API server; after it was away, each of them tries again with pauses
 * that double up to 30 s and vary up to twofold (the reflector of client-go). A service that was made meanwhile refuses
 * connections until then, so a network is called broken only when they all had their turn.
 */
const patience = { podsMs: 60_000, answersMs: 90_000 };
/** Each pod asks the next ones around the ring, so the number of questions grows with the hosts and not with their square. */
const peersAsked = 3;

interface ProbePod {
  readonly node: string;
  readonly ip: string;
}

interface Question extends Dial {
  readonly what: string;
}

export interface ProbeResult {
  readonly questions: number;
}

/**
 * Starts a pod on every node and lets the pods ask each other: a name by the cluster's DNS (which is a service address at
 * once), the API server's service, and pods of other hosts. agnhost's /dial does the asking, so nothing but HTTP from the
 * control plane is needed. The pods are taken away again, whatever the outcome.
 */
export async function probeNetwork(
  { host, facts }: Member,
  nodes: readonly string[],
  image: string,
  context: RunContext,
  limits = patience,
): Promise<ProbeResult> {
  const namespace = `installer-verify-${context.runId}`;
  try {
    await applyAll(host, context, [
      {
        kind: 'run',
        argv: kubectlArgv(['apply', '-f', '-']),
        stdin: renderProbe(namespace, image),
        timeoutSeconds: 60,
      },
      {
        kind: 'run',
        argv: kubectlArgv(['-n', namespace, 'rollout', 'status', 'daemonset/probe', '--timeout=120s'], {
          requestSeconds: 130,
        }),
        timeoutSeconds: 140,
      },
    ]);
    const pods = await podsOnAll(host, nodes, namespace, limits.podsMs, context);
    const questions = pods.flatMap((pod, index) => questionsOf(pod, index, pods, namespace));
    await ask({ host, facts }, questions, limits.answersMs, context);
    return { questions: questions.length };
  } finally {
    const remove = commandQuery(kubectlArgv(['delete', 'namespace', namespace, '--ignore-not-found', '--wait=false']), {
      timeoutSeconds: 20,
    });
    await host.observeOnce([remove]).catch(() => undefined);
  }
}

/** The rollout counts the nodes that were schedulable when it began; one that became Ready since has its pod a moment later. */
async function podsOnAll(
  host: Host,
  nodes: readonly string[],
  namespace: string,
  timeoutMs: number,
  context: RunContext,
): Promise<readonly ProbePod[]> {
  const query = kubectlQuery(['-n', namespace, 'get', 'pods', '-o', 'json']);
  let pods: readonly ProbePod[] = [];
  await pollUntil({
    id: 'probe-pods',
    description: 'a probe pod runs on every node',
    timeoutMs,
    intervalMs: 1000,
    context,
    async attempt() {
      const list = kubectlJson((await host.observeOnce([query], { signal: context.signal }))(query));
      pods = parseItems(list, podSchema).flatMap((pod): ProbePod[] => {
        const { podIP } = pod.status;
        return podIP === undefined || !isReady(pod) ? [] : [{ node: pod.spec.nodeName ?? '', ip: podIP }];
      });
      const without = nodes.filter((node) => !pods.some((pod) => pod.node === node));
      return without.length === 0 ? undefined : `no probe pod runs on ${without.join(', ')}`;
    },
    failure: (reason) => probeError(host, [reason]),
  });
  return pods;
}

function questionsOf(pod: ProbePod, index: number, pods: readonly ProbePod[], namespace: string): Question[] {
  const peers = Array.from(
    { length: Math.min(peersAsked, pods.length - 1) },
    (_, step) => pods[(index + step + 1) % pods.length],
  ).filter((peer) => peer !== undefined);
  return [
    {
      what: `name and service address from a pod on ${pod.node}`,
      from: pod.ip,
      to: `probe.${namespace}.svc.cluster.local`,
      toPort: 80,
    },
    ...peers.map((peer) => ({
      what: `pod on ${pod.node} to pod on ${peer.node}`,
      from: pod.ip,
      to: peer.ip,
      toPort: agnhostPort,
    })),
  ];
}

/** A question that fails is asked again, and only that one; nothing else is asked before it was answered. */
async function ask(
  { host, facts }: Pick<Member, 'host' | 'facts'>,
  questions: readonly Question[],
  timeoutMs: number,
  context: RunContext,
): Promise<void> {
  let open = questions;
  let failures: readonly string[] = [];
  await pollUntil({
    id: 'probe-answers',
    description: 'services and pods answer from every node',
    timeoutMs,
    intervalMs: 1000,
    context,
    async attempt() {
      do {
        const round = open.slice(0, dialsAtOnce);
        const query = dialQuery(round, facts.tools.has('curl'));
        const reasons = judgeDials((await host.observeOnce([query], { signal: context.signal }))(query), round.length);
        failures = round.flatMap(({ what }, index) =>
          reasons[index] === undefined ? [] : [`${what}: ${reasons[index]}`],
        );
        open = [...round.filter((_, index) => reasons[index] !== undefined), ...open.slice(dialsAtOnce)];
      } while (failures.length === 0 && open.length > 0);
      return failures[0];
    },
    failure: () => probeError(host, failures),
  });
}

async function applyAll(host: Host, context: RunContext, actions: readonly Action[]): Promise<void> {
  const lockWatch = tellLockWait(context, host.name);
  const result = await host
    .apply({
      actions,
      secrets: new Map(),
      look: [],
      holder: lockHolderName(context, 'verify-cluster'),
      lockTimeoutSeconds: 30,
      lockWatch,
      timeoutMs: 240_000,
      signal: context.signal,
    })
    .finally(() => lockWatch.end());
  if (result.status === 'failed') throw probeError(host, result.failed.output.split('\n'));
  if (result.status === 'stale') throw probeError(host, ['another run changes this host at the same time']);
}

function probeError(host: Host, details: readonly string[]): InstallerError {
  return new InstallerError({
    code: 'NETWORK_PROBE_FAILED',
    host: host.name,
    message: `the network of the pods does not work everywhere: ${details[0] ?? ''}`,
    remedy:
      'see that the hosts reach each other (flannel: UDP 8472), and the logs of the network plugin and of CoreDNS',
    details,
  });
}

export function renderProbe(namespace: string, image: string): string {
  const labels = { app: 'probe' };
  const documents = [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, labels: { 'app.kubernetes.io/managed-by': 'installer' } },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'probe', namespace },
      spec: { selector: labels, ports: [{ port: 80, targetPort: agnhostPort }] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'probe', namespace },
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            terminationGracePeriodSeconds: 0,
            automountServiceAccountToken: false,
            tolerations: [{ operator: 'Exists' }],
            containers: [
              {
                name: 'probe',
                image,
                imagePullPolicy: 'IfNotPresent',
                args: ['netexec', `--http-port=${agnhostPort}`, '--udp-port=-1'],
                ports: [{ containerPort: agnhostPort }],
                readinessProbe: {
                  httpGet: { path: '/hostname', port: agnhostPort },
                  periodSeconds: 1,
                  failureThreshold: 60,
                },
                securityContext: {
                  allowPrivilegeEscalation: false,
                  runAsNonRoot: true,
                  runAsUser: 65534,
                  capabilities: { drop: ['ALL'] },
                  seccompProfile: { type: 'RuntimeDefault' },
                },
              },
            ],
          },
        },
      },
    },
  ];
  return documents.map((document) => stringify(document)).join('---\n');
}
