import { isIPv6 } from 'node:net';
import { stringify } from 'yaml';
import * as z from 'zod';
import { lockHolderName, tellLockWait } from '../engine/lock-wait.ts';
import type { RunContext } from '../engine/phase.ts';
import { pollUntil } from '../engine/poll.ts';
import { InstallerError } from '../errors.ts';
import type { Host } from '../hosts/host.ts';
import type { Member } from '../kubernetes/cluster.ts';
import { kubectlArgv, kubectlJson, kubectlQuery } from '../kubernetes/kubectl.ts';
import { isReady, parseItems, podSchema } from '../kubernetes/objects.ts';
import type { Action } from '../ops/action.ts';
import { commandQuery, type CommandQuery, type CommandSeen, type Seen } from '../ops/query.ts';

const port = 8080;
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

interface Question {
  readonly what: string;
  readonly query: CommandQuery;
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
    const questions = pods.flatMap((pod, index) => questionsOf(pod, index, pods, namespace, facts.tools.has('curl')));
    await ask(host, questions, limits.answersMs, context);
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

function questionsOf(
  pod: ProbePod,
  index: number,
  pods: readonly ProbePod[],
  namespace: string,
  hasCurl: boolean,
): Question[] {
  const peers = Array.from(
    { length: Math.min(peersAsked, pods.length - 1) },
    (_, step) => pods[(index + step + 1) % pods.length],
  ).filter((peer) => peer !== undefined);
  return [
    {
      what: `name and service address from a pod on ${pod.node}`,
      query: dial(pod.ip, `probe.${namespace}.svc.cluster.local`, 80, hasCurl),
    },
    ...peers.map((peer) => ({
      what: `pod on ${pod.node} to pod on ${peer.node}`,
      query: dial(pod.ip, peer.ip, port, hasCurl),
    })),
  ];
}

/** agnhost netexec: asks the pod to fetch /hostname from another address, and answers `{"responses": […], "errors": […]}`. */
function dial(from: string, to: string, toPort: number, hasCurl: boolean): CommandQuery {
  const query = new URLSearchParams({
    request: 'hostname',
    protocol: 'http',
    host: to,
    port: String(toPort),
    tries: '1',
  });
  const base = isIPv6(from) ? `[${from}]` : from;
  const url = `http://${base}:${port}/dial?${query.toString()}`;
  return commandQuery(hasCurl ? ['curl', '-gsS', '--max-time', '5', url] : ['wget', '-q', '-T', '5', '-O', '-', url], {
    timeoutSeconds: 7,
  });
}

const dialAnswer = z.looseObject({ responses: z.array(z.string()).nullish(), errors: z.array(z.string()).nullish() });

/** A question that fails is asked again, and only that one. */
async function ask(host: Host, questions: readonly Question[], timeoutMs: number, context: RunContext): Promise<void> {
  let open = questions;
  let failures: readonly string[] = [];
  await pollUntil({
    id: 'probe-answers',
    description: 'services and pods answer from every node',
    timeoutMs,
    intervalMs: 1000,
    context,
    async attempt() {
      const seen = await host.observeOnce(
        open.map(({ query }) => query),
        { signal: context.signal },
      );
      const failed = open.flatMap((question) => {
        const failure = judgeDial(seen(question.query));
        return failure === undefined ? [] : [{ question, failure }];
      });
      open = failed.map(({ question }) => question);
      failures = failed.map(({ question, failure }) => `${question.what}: ${failure}`);
      return failures[0];
    },
    failure: () => probeError(host, failures),
  });
}

export function judgeDial(seen: Seen<CommandSeen>): string | undefined {
  if (seen.state !== 'present') return seen.state === 'absent' ? 'neither curl nor wget is installed' : seen.reason;
  if (seen.value.exitCode !== 0) return seen.value.stderr.trim() || `the request ended with ${seen.value.exitCode}`;
  const answer = dialAnswer.safeParse(parseJson(seen.value.stdout));
  if (!answer.success) return `unexpected answer: ${seen.value.stdout.slice(0, 120)}`;
  return (answer.data.responses ?? []).length > 0 ? undefined : (answer.data.errors ?? ['no answer']).join(', ');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
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
      spec: { selector: labels, ports: [{ port: 80, targetPort: port }] },
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
                args: ['netexec', `--http-port=${port}`, '--udp-port=-1'],
                ports: [{ containerPort: port }],
                readinessProbe: { httpGet: { path: '/hostname', port }, periodSeconds: 1, failureThreshold: 60 },
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
