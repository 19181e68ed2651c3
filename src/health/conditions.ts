import * as z from 'zod';
import { kubectlFailure, kubectlJson, kubectlQuery } from '../kubernetes/kubectl.ts';
import { isReady, nodeSchema, parseItems, podSchema, type KubeNode, type KubePod } from '../kubernetes/objects.ts';
import type { Query } from '../ops/query.ts';
import type { Condition } from './condition.ts';

const nodes = kubectlQuery(['get', 'nodes', '-o', 'json'], { requestSeconds: 5 });
const pods = kubectlQuery(['get', 'pods', '--all-namespaces', '-o', 'json'], { requestSeconds: 5 });

/** `kubectl wait` watches, which costs nearly nothing. It ends with an error where there is nothing to wait for yet. */
function waitFor(...args: readonly string[]): Query {
  return kubectlQuery(['wait', '--for=condition=Ready', '--timeout=4s', ...args], { requestSeconds: 5 });
}

const warnings = kubectlQuery(
  ['get', 'events', '--all-namespaces', '--field-selector=type=Warning', '--sort-by=.lastTimestamp', '-o', 'json'],
  { requestSeconds: 5 },
);
const eventSchema = z.looseObject({
  reason: z.string(),
  message: z.string(),
  involvedObject: z.looseObject({ kind: z.string(), name: z.string() }),
});

const timeoutMs = 300_000;
const intervalMs = 500;

export function nodesReady(names: readonly string[]): Condition {
  return {
    id: 'nodes-ready',
    description: `${names.length === 1 ? 'the node is' : `all ${names.length} nodes are`} Ready`,
    timeoutMs,
    intervalMs,
    queries: [nodes],
    blockOn: waitFor('nodes', '--all'),
    remedy: 'see kubectl describe node, and journalctl -u kubelet on the node',
    judge(seen) {
      const list = kubectlJson(seen(nodes));
      if (list === undefined) return kubectlFailure(seen(nodes));
      const found = new Map(parseItems(list, nodeSchema).map((node) => [node.metadata.name, node]));
      const missing = names.flatMap((name) => describeNode(name, found.get(name)));
      return missing.length === 0 ? undefined : missing.join(', ');
    },
  };
}

function describeNode(name: string, node: KubeNode | undefined): string[] {
  if (node === undefined) return [`${name} is not registered`];
  if (isReady(node)) return [];
  const condition = node.status.conditions?.find(({ type }) => type === 'Ready');
  return [`${name} is not Ready${condition?.message === undefined ? '' : ` (${condition.message.slice(0, 160)})`}`];
}

/** Both pods of the deployment: kubeadm makes them at once, so all that are there are all that should be. */
export const corednsReady: Condition = {
  id: 'coredns-ready',
  description: 'CoreDNS is ready',
  timeoutMs,
  intervalMs,
  queries: [pods],
  blockOn: waitFor('pods', '--namespace=kube-system', '--selector=k8s-app=kube-dns'),
  remedy: 'see kubectl -n kube-system describe pod -l k8s-app=kube-dns',
  judge(seen) {
    const list = kubectlJson(seen(pods));
    if (list === undefined) return kubectlFailure(seen(pods));
    const found = parseItems(list, podSchema).filter(
      ({ metadata: { name, namespace } }) => namespace === 'kube-system' && name.startsWith('coredns-'),
    );
    if (found.length === 0) return 'there is no CoreDNS pod yet';
    const waiting = found.filter((pod) => !isReady(pod));
    return waiting.length === 0 ? undefined : waiting.map(describePod).join(', ');
  },
};

/** Pods of the control plane, kube-proxy, CoreDNS and the network: those of the system's priority classes. */
export const systemPodsReady: Condition = {
  id: 'system-pods-ready',
  description: 'the system pods are ready',
  timeoutMs,
  intervalMs,
  queries: [pods],
  blockOn: waitFor('pods', '--namespace=kube-system', '--all'),
  explain: {
    queries: [warnings],
    render(seen) {
      const events = parseItems(kubectlJson(seen(warnings)), eventSchema);
      return [
        ...new Set(
          events.map(
            ({ involvedObject, reason, message }) =>
              `${involvedObject.kind} ${involvedObject.name}: ${reason}: ${message.slice(0, 300)}`,
          ),
        ),
      ].slice(-6);
    },
  },
  remedy: 'see kubectl describe pod and kubectl logs of the pods named',
  judge(seen) {
    const list = kubectlJson(seen(pods));
    if (list === undefined) return kubectlFailure(seen(pods));
    const system = parseItems(list, podSchema).filter(
      ({ metadata: { namespace } }) => namespace === 'kube-system' || namespace === 'kube-flannel',
    );
    const waiting = system.filter((pod) => !isReady(pod) && pod.status.phase !== 'Succeeded');
    if (!system.some(({ metadata: { name } }) => name.startsWith('coredns-'))) return 'there is no CoreDNS pod yet';
    return waiting.length === 0 ? undefined : waiting.map(describePod).join(', ');
  },
};

function describePod(pod: KubePod): string {
  const reason = pod.status.containerStatuses
    ?.map(({ state }) => state?.waiting?.reason)
    .find((value) => value !== undefined);
  return `${pod.metadata.name} ${reason ?? pod.status.phase ?? 'is unknown'}`;
}
